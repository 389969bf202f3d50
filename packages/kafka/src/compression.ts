import { gzipSync, zstdCompressSync, constants as zlib } from 'node:zlib';
import { compressFrameSync } from 'lz4-napi';

export const COMPRESSIONS = ['none', 'gzip', 'lz4', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** Compresses the records of a batch. `codec` are the attribute bits of https://kafka.apache.org/documentation/#recordbatch */
export interface Compressor {
  readonly codec: number;
  /** May return its argument. */
  readonly compress: (records: Buffer) => Buffer;
}

const COMPRESSORS: Readonly<Record<Compression, Compressor>> = {
  none: { codec: 0, compress: (records) => records },
  gzip: { codec: 1, compress: (records) => gzipSync(records, { level: 1 }) },
  lz4: { codec: 3, compress: (records) => compressFrameSync(records) },
  zstd: {
    codec: 4,
    compress: (records) => zstdCompressSync(records, { params: { [zlib.ZSTD_c_compressionLevel]: 1 } }),
  },
};

export function compressorFor(compression: Compression): Compressor {
  return COMPRESSORS[compression];
}

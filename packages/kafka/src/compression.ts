import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync, constants as zlib } from 'node:zlib';
import { compressFrameSync, decompressFrameSync } from 'lz4-napi';

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

const DECOMPRESSORS: Readonly<Record<number, (records: Buffer) => Buffer>> = {
  0: (records) => records,
  1: (records) => gunzipSync(records),
  3: (records) => decompressFrameSync(records),
  4: (records) => zstdDecompressSync(records),
};

/** The records of a batch as they were before a compressor of this codec. Throws for one that we do not write. */
export function decompress(codec: number, records: Buffer): Buffer {
  const decompressor = DECOMPRESSORS[codec];
  if (!decompressor) throw new Error(`record batch of codec ${codec}; this reads 0, 1, 3 and 4`);
  return decompressor(records);
}

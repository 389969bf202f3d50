import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ensurePrograms, PROGRAMS, programPath } from '../../dev/services/programs.ts';

/** A certificate and its key, as PEM files. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority made for a test, good for a day. */
export class Authority {
  readonly caFile: string;
  readonly #dir: string;
  readonly #own: Certificate;

  private constructor(dir: string, own: Certificate) {
    this.#dir = dir;
    this.#own = own;
    this.caFile = own.certFile;
  }

  /** @param dir where its files go; made when it is not there */
  static async make(dir: string): Promise<Authority> {
    await ensurePrograms([PROGRAMS.openssl], () => undefined);
    mkdirSync(dir, { recursive: true });
    const { request, keyFile } = newRequest(dir, 'ca', `CDR tests ${path.basename(dir)}`);
    const certFile = path.join(dir, 'ca.pem');
    openssl('x509', '-req', '-in', request, '-signkey', keyFile, ...validity(dir, 'ca'), '-out', certFile);
    return new Authority(dir, { certFile, keyFile });
  }

  /** A certificate for 127.0.0.1 and localhost when it is a server's, and for whoever has this name. */
  issue(name: string): Certificate {
    const { request, keyFile } = newRequest(this.#dir, name, name);
    const certFile = path.join(this.#dir, `${name}.pem`);
    const signer = ['-CA', this.caFile, '-CAkey', this.#own.keyFile, '-CAcreateserial'];
    openssl('x509', '-req', '-in', request, ...signer, ...validity(this.#dir, 'leaf'), '-out', certFile);
    return { certFile, keyFile };
  }
}

function newRequest(dir: string, file: string, commonName: string): { request: string; keyFile: string } {
  const keyFile = path.join(dir, `${file}.key`);
  const request = path.join(dir, `${file}.csr`);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  // PKCS 8 is the one form that Java reads
  writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  openssl('req', '-new', '-key', keyFile, '-subj', `/CN=${commonName}`, '-out', request);
  return { request, keyFile };
}

function validity(dir: string, kind: 'ca' | 'leaf'): string[] {
  const extensions = path.join(dir, `${kind}.ext`);
  writeFileSync(
    extensions,
    kind === 'ca'
      ? 'basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n'
      : 'basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n',
  );
  return ['-days', '1', '-extfile', extensions];
}

function openssl(...args: string[]): void {
  execFileSync(programPath(PROGRAMS.openssl), args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

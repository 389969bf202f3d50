import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { keepWhilePausing, keepWhileScanning } from './keep-lease.ts';

class CountedLease {
  held = 0;
  fails = false;

  async hold(): Promise<boolean> {
    this.held++;
    if (this.fails) throw new Error('Redis is away');
    return true;
  }
}

const NEVER = new AbortController().signal;

describe('a long scan', () => {
  it('keeps the lease and says how far it is, each no more often than it must', async () => {
    const lease = new CountedLease();
    const said: string[] = [];
    const tell = keepWhileScanning(lease, (line) => said.push(line), { keepEveryMs: 50, sayEveryMs: 100 });
    await tell('1 entries listed');
    expect([lease.held, said]).toEqual([0, []]);
    await delay(60);
    await tell('2 entries listed');
    await tell('3 entries listed');
    expect([lease.held, said]).toEqual([1, []]);
    await delay(60);
    await tell('4 entries listed');
    expect([lease.held, said]).toEqual([2, ['the scan goes on: 4 entries listed']]);
  });

  it('fails when Redis cannot keep it', async () => {
    const lease = new CountedLease();
    lease.fails = true;
    await expect(keepWhileScanning(lease, () => undefined, { keepEveryMs: 0 })('x')).rejects.toThrow('Redis is away');
  });
});

describe('the pause behind a scan', () => {
  it('keeps the lease however long it is, and whether Redis answers or not', async () => {
    for (const fails of [false, true]) {
      const lease = new CountedLease();
      lease.fails = fails;
      const from = performance.now();
      await keepWhilePausing(lease, 200, NEVER, 20);
      expect(performance.now() - from).toBeGreaterThanOrEqual(199);
      expect(lease.held).toBeGreaterThan(2);
    }
  });

  it('leaves the lease alone when it is short', async () => {
    const lease = new CountedLease();
    await keepWhilePausing(lease, 20, NEVER, 1_000);
    expect(lease.held).toBe(0);
  });

  it('ends when the scanner is stopped', async () => {
    const lease = new CountedLease();
    const from = performance.now();
    await keepWhilePausing(lease, 60_000, AbortSignal.timeout(30), 10_000);
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(lease.held).toBe(0);
  });
});

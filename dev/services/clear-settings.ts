import { SETTINGS } from '@cdr/core/settings';

/**
 * Removes the ingester's settings from this process's environment: one from the user's shell would win over those that an
 * app is started with. To be called after the parts have read the addresses in it.
 */
export function clearSettings(): void {
  for (const name of Object.keys(SETTINGS)) {
    delete process.env[name];
    delete process.env[`${name}_FILE`];
  }
}

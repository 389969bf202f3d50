import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test, type TestContext } from 'vitest';
import { ensurePrograms, programPath, type Program } from '../../dev/services/programs.ts';
import { DashboardScenario, OPERATOR, VIEWER, type Dashboard } from '../support/dashboard-client.ts';
import { pollUntil } from '../support/poll-until.ts';

const CHROMIUM: Program = {
  names: ['chromium', 'chromium-browser', 'google-chrome'],
  debianPackage: 'chromium',
  what: 'Chromium',
};
const ARGS = [
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  '--headless',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const PATIENT = { timeout: 60_000 };
/** They have no names, only tooltips. */
const JOB_BUTTONS = '[class^="jobActions"] button';
const EVIL = `cdr_data_<img src=x onerror=alert(1)>.csv`;

let browser: Browser | undefined;
let missing = '';

beforeAll(async () => {
  try {
    await ensurePrograms([CHROMIUM], (line) => console.error(line));
  } catch (error) {
    missing = error instanceof Error ? error.message : String(error);
    return;
  }
  browser = await chromium.launch({ executablePath: programPath(CHROMIUM), args: ARGS, ...PATIENT });
}, 600_000);
afterAll(() => browser?.close());

/** A page that is logged in, and everything that went wrong on it. */
async function open(
  { skip, onTestFinished }: TestContext,
  dashboard: Dashboard,
  login: { user: string; password: string },
): Promise<{ page: Page; troubles: string[] }> {
  if (!browser) skip(missing);
  const context = await (browser as Browser).newContext({ locale: 'en-US' });
  onTestFinished(() => context.close());
  context.setDefaultTimeout(PATIENT.timeout);
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  page.on('pageerror', (error) => troubles.push(error.message));
  page.on('dialog', (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(dashboard.url) && !request.url().startsWith('data:'))
      troubles.push(`asks elsewhere: ${request.url()}`);
  });
  await page.goto(dashboard.url);
  await page.getByLabel('User').fill(login.user);
  await page.getByLabel('Password').fill(login.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('Log out').waitFor();
  return { page, troubles };
}

test('an operator logs in, sees a failed job, retries it, and it is no longer failed', async (context) => {
  const scenario = new DashboardScenario();
  const jobId = await scenario.addFailed('cdr_data_20241201.csv');
  await scenario.addFailed(EVIL);
  const { page, troubles } = await open(context, await scenario.start(), OPERATOR);
  await page.getByText('bad-header: cdr_data_20241201.csv line 1').waitFor();

  await page.getByRole('link', { name: 'Jobs' }).click();
  await page.getByText('cdr-files').first().waitFor();
  await page.goto(new URL('/queues/queue/cdr-files?status=failed', page.url()).href);
  await page.getByText(EVIL, { exact: true }).waitFor();
  await page.goto(new URL(`/queues/queue/cdr-files/${jobId}?status=failed`, page.url()).href);
  await page.getByText('UnrecoverableError').first().waitFor();
  await page.getByText('Logs').click();
  await page.getByText('attempt at cdr_data_20241201.csv').waitFor();

  const retry = page.locator(JOB_BUTTONS).first();
  await retry.hover();
  await page.getByText('Retry', { exact: true }).waitFor();
  await retry.click();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await pollUntil('the retry', async () => (await scenario.queue.getJobState(jobId)) === 'waiting', {
    deadlineMs: PATIENT.timeout,
  });
  await page.goto(new URL('/queues/queue/cdr-files?status=failed', page.url()).href);
  await page.getByText(EVIL, { exact: true }).waitFor();
  expect(await page.getByText('cdr_data_20241201.csv', { exact: true }).count()).toBe(0);

  await page.goto(new URL('/audit', page.url()).href);
  await page.getByText('retry a failed job').waitFor();
  expect(troubles).toEqual([]);
});

test('a viewer sees the job and no button to change it', async (context) => {
  const scenario = new DashboardScenario();
  const jobId = await scenario.addFailed('cdr_data_20241201.csv');
  const { page, troubles } = await open(context, await scenario.start(), VIEWER);
  await page.goto(new URL(`/queues/queue/cdr-files/${jobId}?status=failed`, page.url()).href);
  await page.getByText('UnrecoverableError').first().waitFor();
  expect(await page.locator(JOB_BUTTONS).count()).toBe(0);
  expect(troubles).toEqual([]);
});

test('the overview renews itself, and comes back after Redis was away', async (context) => {
  const scenario = new DashboardScenario();
  const { page } = await open(context, await scenario.start(), OPERATOR);
  await scenario.addFailed('cdr_data_late.csv');
  await page.getByText('bad-header: cdr_data_late.csv line 1').waitFor();
  await scenario.world.redis.kill();
  try {
    await page.getByText('cannot reach Redis').waitFor();
  } finally {
    await scenario.world.redis.restart();
  }
  await page.getByRole('heading', { name: 'Parts' }).waitFor();
});

import { html } from './html.ts';
import { page } from './layout.ts';

/** The login form, with what was wrong the last time. */
export function loginPage(problem?: string): string {
  return page(
    { title: 'Log in' },
    html`<form class="login" method="post" action="/login">
      <h1><img src="/assets/icon.svg" alt="" width="28" height="28" />CDR ingester</h1>
      ${problem === undefined ? undefined : html`<p class="problem" role="alert">${problem}</p>`}
      <label>User <input name="user" autocomplete="username" required autofocus maxlength="64" /></label>
      <label>
        Password <input name="password" type="password" autocomplete="current-password" required maxlength="1000" />
      </label>
      <button type="submit">Log in</button>
    </form>`,
  );
}

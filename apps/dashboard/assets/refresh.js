// Renews the overview every five seconds without moving what somebody reads; says so when that does not work.
const EVERY_MS = 5_000;

async function renew() {
  if (document.hidden) return;
  try {
    const response = await fetch(location.href, { redirect: 'manual' });
    // the session is over: the login page comes
    if (response.type === 'opaqueredirect') return location.reload();
    const text = await response.text();
    const main = new DOMParser().parseFromString(text, 'text/html').querySelector('main');
    if (main) document.querySelector('main').replaceWith(main);
  } catch {
    const note = document.getElementById('refresh-problem');
    if (!note) return;
    note.textContent = ' - the dashboard does not answer; this is what it said last';
    note.hidden = false;
  }
}

// one after the other, however slow the answers are
async function renewForEver() {
  await renew();
  setTimeout(renewForEver, EVERY_MS);
}

setTimeout(renewForEver, EVERY_MS);
document.addEventListener('visibilitychange', renew);

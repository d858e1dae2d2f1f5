// Reads the screen again every 2 seconds: not while it is hidden, paused, or while somebody types.
const EVERY = 2000;
const live = () => document.getElementById('live');
const button = document.getElementById('refresh');
const refreshed = document.getElementById('refreshed');
const KEY = 'increp.refresh';

let isPaused = sessionStorage.getItem(KEY) === 'paused';
let failures = 0;

const isTyping = () => document.activeElement?.matches('input, select, textarea') === true;

function show() {
  button.textContent = isPaused ? 'Resume refresh' : 'Pause refresh';
  button.setAttribute('aria-pressed', String(isPaused));
  if (failures > 1) refreshed.textContent = 'The service does not answer. These are old values.';
  else if (isPaused) refreshed.textContent = 'Refresh is paused.';
  refreshed.hidden = !isPaused && failures < 2;
  refreshed.classList.toggle('outage', failures > 1);
}

if (button && live()) {
  button.hidden = false;
  button.addEventListener('click', () => {
    isPaused = !isPaused;
    sessionStorage.setItem(KEY, isPaused ? 'paused' : '');
    show();
  });
  // The session has ended. The login is no part of this screen.
  document.body.addEventListener('htmx:before:response', (event) => {
    const { raw } = event.detail.ctx.response;
    if (!raw.redirected) return;
    event.preventDefault();
    location.assign(raw.url);
  });
  document.body.addEventListener('htmx:after:request', ({ detail }) => {
    failures = detail?.ctx?.response?.raw?.ok === false ? failures + 1 : 0;
    show();
  });
  document.body.addEventListener('htmx:error', () => {
    failures += 1;
    show();
  });
  setInterval(() => {
    if (!isPaused && !document.hidden && !isTyping()) live()?.dispatchEvent(new CustomEvent('refresh'));
  }, EVERY);
  show();
}

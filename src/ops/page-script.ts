/**
 * What makes the page refresh itself in a browser: it asks for the page again and lays what differs over what stands, so
 * that scrolling, focus, a selection and what somebody folded out stay. Without an answer it says so. The page is complete without it.
 */

/** How often the page looks, and how long it waits for an answer, ms. */
const EVERY_MS = 5_000
/** How often while nobody sees it: its title and its icon still stand in a row of tabs. */
const HIDDEN_MS = 60_000
const PATIENCE_MS = 10_000

export const SCRIPT = `'use strict';
(() => {
  const main = document.querySelector('main');
  const stale = document.getElementById('stale');
  const build = document.documentElement.dataset.build;
  let answered = Date.now();
  let asked = performance.now();
  let asking = false;
  let why = '';

  // What a row, a fold or a section is known by among its neighbours.
  const keyOf = node => node.nodeType === 1 ? node.id || node.dataset.key || '' : '';

  function morph(have, want) {
    for (const { name } of [...have.attributes]) {
      if (name !== 'open' && !want.hasAttribute(name)) have.removeAttribute(name);
    }
    // A fold follows the daemon when the daemon changes its mind, else the reader.
    if (have.dataset.wanted !== want.dataset.wanted) have.toggleAttribute('open', want.hasAttribute('open'));
    for (const { name, value } of want.attributes) {
      if (name !== 'open' && have.getAttribute(name) !== value) have.setAttribute(name, value);
    }
    const wanted = new Set();
    for (const child of want.childNodes) wanted.add(keyOf(child));
    const known = new Map();
    for (const child of [...have.childNodes]) {
      const key = keyOf(child);
      if (key === '') continue;
      if (wanted.has(key) && !known.has(key)) known.set(key, child);
      else child.remove();
    }
    let at = have.firstChild;
    for (const child of want.childNodes) {
      const key = keyOf(child);
      let same = known.get(key);
      // Long names may be cut to the same one: each has a row all the same.
      known.delete(key);
      if (key === '') {
        // What stands before the next of its kind is gone.
        for (same = at; same && (same.nodeName !== child.nodeName || keyOf(same) !== ''); ) same = same.nextSibling;
        while (same && at !== same) {
          const next = at.nextSibling;
          if (keyOf(at) === '') at.remove();
          at = next;
        }
      } else if (same && same.nodeName !== child.nodeName) same = undefined;
      if (!same) {
        have.insertBefore(document.importNode(child, true), at);
        continue;
      }
      if (same === at) at = at.nextSibling;
      else if (have.moveBefore) have.moveBefore(same, at);
      else have.insertBefore(same, at);
      if (child.nodeType === 1) morph(same, child);
      else if (same.data !== child.data) same.data = child.data;
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function say() {
    const old = why !== '';
    document.documentElement.classList.toggle('old', old);
    stale.hidden = !old;
    if (!old) return;
    // A text that changed each second would be read out each second.
    const since = new Date(answered).toISOString().slice(11, 19) + 'Z';
    const text = 'No answer from the daemon since ' + since + ' (' + why + '): what stands here is old.';
    if (stale.textContent !== text) stale.textContent = text;
  }

  async function look() {
    if (asking || (document.hidden && performance.now() - asked < ${HIDDEN_MS})) return;
    asking = true;
    asked = performance.now();
    const icon = document.querySelector('link[rel=icon]');
    try {
      const signal = AbortSignal.timeout(${PATIENCE_MS});
      const answer = await fetch(location.pathname, { cache: 'no-store', redirect: 'manual', signal });
      // Something in between wants to know who reads this: only a load of the whole page gets there.
      if (answer.type === 'opaqueredirect') throw new Error('it wants a login: load the page again');
      if (answer.status === 401 || answer.status === 403) throw new Error('HTTP ' + answer.status + ', it wants a login: load the page again');
      if (!answer.ok) throw new Error('HTTP ' + answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const next = page.querySelector('main');
      const its = page.documentElement.dataset.build;
      if (!next || !its) throw new Error('another page answered');
      // Another opswire answers: it has a page of its own.
      if (its !== build) return location.reload();
      morph(main, next);
      document.title = page.title;
      const wanted = page.querySelector('link[rel=icon]');
      if (wanted && icon.href !== wanted.href) icon.href = wanted.href;
      answered = Date.now();
      why = '';
    } catch (error) {
      why = error instanceof TypeError ? 'it can not be reached' : error.name === 'TimeoutError' ? 'it is silent' : error.message;
      document.title = 'no answer: opswire';
      icon.href = icon.dataset.old;
    } finally {
      asking = false;
    }
    say();
  }

  // Who goes to a part that is folded away wants to see it.
  function unfold(hash) {
    const part = document.getElementById(hash.slice(1));
    if (part && part.nodeName === 'DETAILS') part.open = true;
  }
  document.addEventListener('click', ({ target }) => {
    const link = target.closest('main a');
    if (link) unfold(link.hash);
  });
  unfold(location.hash);

  setInterval(look, ${EVERY_MS});
  document.addEventListener('visibilitychange', look);
  document.getElementById('refresh').textContent = 'refreshes itself every ${EVERY_MS / 1000} s';
})();
`

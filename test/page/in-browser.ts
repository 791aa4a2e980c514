/** What is asked of a page inside the browser: is anything cut off, on top of something else, or too pale to read? */
import type { Page } from 'puppeteer-core'

/** Runs in the page. Gives a line for each box that is where it should not be, and each text that is too pale. */
const CHECK = `(() => {
  const found = [];
  const name = node => {
    const key = node.id || node.dataset?.key || '';
    const classes = node.getAttribute('class') ?? '';
    return node.nodeName.toLowerCase() + (classes && '.' + classes.trim().replace(/\\s+/g, '.')) + (key && '#' + key.slice(0, 30))
      + ' "' + (node.textContent ?? '').trim().slice(0, 40) + '"';
  };
  const hidden = node => node.closest('.unseen') || node.closest('thead') && getComputedStyle(node.closest('thead')).position === 'absolute';
  const seen = [...document.body.querySelectorAll('*')].filter(node =>
    node.checkVisibility() && !node.closest('svg svg') && node.nodeName !== 'SCRIPT' && !hidden(node));
  const inSvg = node => node.ownerSVGElement !== null && node.ownerSVGElement !== undefined;
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) found.push('the page is ' + document.documentElement.scrollWidth + ' wide, the window ' + width);

  for (const node of seen) {
    if (inSvg(node)) continue;
    const box = node.getBoundingClientRect();
    if (box.left < -0.5 || box.right > width + 0.5) found.push('outside the window: ' + name(node));
    const parent = node.parentElement;
    const around = parent.getBoundingClientRect();
    if (getComputedStyle(parent).display !== 'inline' && (box.left < around.left - 1 || box.right > around.right + 1)) {
      found.push('sticks out of ' + name(parent) + ': ' + name(node));
    }
    const style = getComputedStyle(node);
    if (style.display !== 'inline' && !(node instanceof SVGElement) && node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0) {
      found.push('does not hold its content: ' + name(node));
    }
    if (node.nodeName === 'SVG' || node instanceof SVGElement) {
      if (box.width < 1 || box.height < 1) found.push('nothing to see of ' + name(node));
    }
  }

  // Neighbours, line by line: inline boxes that are broken into lines have more than one rectangle.
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const families = new Map();
  for (const node of seen) {
    if (inSvg(node)) continue;
    const rects = [...node.getClientRects()].filter(rect => rect.width > 0 && rect.height > 0);
    if (rects.length === 0) continue;
    const family = families.get(node.parentElement) ?? [];
    for (const other of family) {
      if (rects.some(rect => other.rects.some(one => meet(rect, one)))) found.push('on top of each other: ' + name(other.node) + ' and ' + name(node));
    }
    family.push({ node, rects });
    families.set(node.parentElement, family);
  }

  // Colours as they are painted: the canvas reads whatever way of writing them the style uses.
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const paint = new Map();
  const rgb = text => {
    if (!paint.has(text)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      paint.set(text, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return paint.get(text);
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
      if (colour[3] !== 0) return undefined;
    }
    return undefined;
  };
  let least = 21;
  for (const node of seen) {
    if (inSvg(node) || node instanceof SVGElement) continue;
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim() !== '')) continue;
    // A browser without a font shows nothing, and nothing overlaps then.
    const box = node.getBoundingClientRect();
    if (box.width < 2 || box.height < 5) found.push('no letters to see of ' + name(node));
    const behind = ground(node);
    if (behind === undefined) { found.push('no ground behind ' + name(node)); continue; }
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(behind)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    least = Math.min(least, contrast);
    if (contrast < 4.5) found.push('contrast ' + contrast.toFixed(2) + ': ' + name(node));
  }
  return { found: found.slice(0, 20), boxes: seen.length, least };
})()`

export interface Looked {
  readonly found: readonly string[]
  /** How many boxes were looked at, and the least contrast of any text. */
  readonly boxes: number
  readonly least: number
}

export async function look(page: Page): Promise<Looked> {
  return (await page.evaluate(CHECK)) as Looked
}

/** The text of the first element that fits; `` without one. */
export async function textOf(page: Page, selector: string): Promise<string> {
  const text = await page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`)
  return String(text).replace(/\s+/g, ' ').trim()
}

/** Makes the page ask the daemon now, as it does when its tab is looked at again. */
export async function refresh(page: Page): Promise<void> {
  await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`)
}

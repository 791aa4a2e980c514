/** Times of the fabric as numbers. */

let lastText = ''
let lastMs = Number.NaN

/**
 * ms since the epoch; `NaN` for what is no time, or not there. One push is asked for the same time again and again: what it
 * moves on goes by it in turn.
 */
export function msOf(text: string | undefined): number {
  if (text === undefined || text === '' || text === 'never') return Number.NaN
  if (text !== lastText) {
    lastMs = Date.parse(text)
    lastText = text
  }
  return lastMs
}

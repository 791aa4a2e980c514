/** Small pictures drawn on the server: events by minute as bars, a share as a filled bar. */
import { counted, formatRate } from './amounts.ts'
import { MINUTES } from './minute-counts.ts'
import { type Html, html, verbatim } from './page-html.ts'

const STEP = 3
const BAR = 2
const HEIGHT = 28

/** Events per second over the last five whole minutes and the one under way; over less after a start. */
export function recentRate(perMinute: readonly number[], secondsOfLast: number): number {
  const recent = perMinute.slice(-6)
  const seconds = (recent.length - 1) * 60 + secondsOfLast
  return recent.reduce((sum, count) => sum + count, 0) / Math.max(1, seconds)
}

/** The most events per second that a whole minute of the hour saw; of the one under way, what it has so far. */
export function peakRate(perMinute: readonly number[]): number {
  return Math.max(0, ...perMinute) / 60
}

/**
 * One bar a minute, the newest on the right, as high as its share of the highest. The one under way is paler; a minute
 * with anything in it is never without a bar. The line below reaches back as far as was counted, a paler one
 * over the rest of the hour.
 */
export function minutePlot(what: string, perMinute: readonly number[], secondsOfLast: number): Html {
  const most = Math.max(0, ...perMinute)
  const from = MINUTES - perMinute.length
  const bars = perMinute.map((count, index) => {
    const height = count === 0 ? 0 : Math.max(1.5, (count / most) * (HEIGHT - 2))
    return height === 0 ? '' : `M${(from + index) * STEP} ${HEIGHT - 1}v-${round(height)}h${BAR}v${round(height)}z`
  })
  const label = `${what} of the last ${counted(perMinute.length, 'minute')}, a bar each: now ${formatRate(
    recentRate(perMinute, secondsOfLast),
  )}, at most ${formatRate(peakRate(perMinute))}`
  const width = MINUTES * STEP
  return html`<svg class="plot" role="img" aria-label="${label}" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}"><title>${label}</title><path class="bars" d="${verbatim(bars.slice(0, -1).join(''))}"/><path class="bars running" d="${bars.at(-1)}"/><path class="before" d="M0 ${HEIGHT - 0.5}H${width - 1}"/><path class="ground" d="M${from * STEP} ${HEIGHT - 0.5}H${width - 1}"/></svg>`
}

/** A plot and, in words, the rate of now. */
export function plotted(what: string, counts: readonly number[], secondsOfLast: number): Html {
  return html`<span class="plotted"><span class="rate">${formatRate(recentRate(counts, secondsOfLast))}</span> ${minutePlot(what, counts, secondsOfLast)}</span>`
}

/** How much of a whole is taken, from 0 to 1. Says nothing that the words beside it don't say. */
export function shareBar(share: number): Html {
  const width = 200
  const filled = round(Math.max(0, Math.min(1, share)) * width)
  const level = share >= 1 ? 'bad' : share >= 0.8 ? 'watch' : 'ok'
  return html`<svg class="share" aria-hidden="true" viewBox="0 0 ${width} 6" preserveAspectRatio="none"><rect class="whole" width="${width}" height="6"/><rect class="filled ${level}" width="${filled}" height="6"/></svg>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

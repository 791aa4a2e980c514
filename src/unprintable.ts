/** What a terminal may act on, or what can't be seen: controls, line ends, direction marks, zero-width and half characters. */

/** One such character. */
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

const RUN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu

/** One line: each run of them is a blank, and none stands at an end. */
export function blanked(text: string): string {
  return text.replace(RUN, ' ').trim()
}

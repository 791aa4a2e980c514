/** HTML made of templates: whatever is laid into one is escaped, unless it is itself such a piece. */

/** A piece of HTML whose every text from elsewhere has been escaped. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** What may be laid into a template; nothing is left of null, undefined and false. */
export type Piece = Html | string | number | null | undefined | false | readonly Piece[]

/** Attributes must stand in double quotes: then no text gets out of its place. */
export function html(parts: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  let text = parts[0] ?? ''
  for (const [index, piece] of pieces.entries()) text += shown(piece) + (parts[index + 1] ?? '')
  return new Html(text)
}

/** Constant text of our own that is no HTML: a style sheet, a script. Never for anything that comes from outside. */
export function verbatim(text: string): Html {
  return new Html(text)
}

function shown(piece: Piece): string {
  if (piece instanceof Html) return piece.text
  if (typeof piece === 'string') return escaped(piece)
  if (typeof piece === 'number') return String(piece)
  if (piece === null || piece === undefined || piece === false) return ''
  return piece.map(shown).join('')
}

const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Control characters and what turns the direction of writing, of the rest of the line too, become a blank. */
function escaped(text: string): string {
  return text.replace(/[&<>"']|[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, character => NAMED[character] ?? ' ')
}

/** Markdown as the generated pages need it. */

/** First line of a page that nobody edits. */
export function madeFrom(source: string): string {
  return `<!-- Made by \`npm run generate\` from ${source}. Edit that, not this. -->`
}

/** Text for a cell: what would end it is escaped, line ends become blanks. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').trim()
}

/** A table; cells are Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n')
}

/** `` `a`, `b` `` */
export function codes(words: Iterable<string>): string {
  return [...words].map(word => `\`${word}\``).join(', ')
}

/** The examples of docs/EVENTS.md: recorded from a real run (`npm run record:events`), set between the page's marks. */
import { readFileSync } from 'node:fs'
import type { OpsEvent } from '../../src/event.ts'

export const EXAMPLES = new URL('../../docs/event-examples.jsonl', import.meta.url)
const PAGE = new URL('../../docs/EVENTS.md', import.meta.url)
const BEGIN = '<!-- Examples, made by `npm run generate` from docs/event-examples.jsonl: begin -->'
const END = '<!-- Examples: end -->'

export interface Example {
  readonly subject: string
  readonly event: OpsEvent
}

/** The recorded examples, one of each type. The notice of a dead letter is among them. */
export function examples(): Example[] {
  const lines = readFileSync(EXAMPLES, 'utf8').split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as Example)
}

/** The page as it stands, with fresh examples in it. */
export function eventsPage(): string {
  const page = readFileSync(PAGE, 'utf8')
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error('docs/EVENTS.md lacks the marks of the examples')
  return `${page.slice(0, begin)}${BEGIN}\n\n${examples().map(show).join('\n\n')}\n\n${page.slice(end)}`
}

function show({ subject, event }: Example): string {
  return `### \`${event.type}\`\n\nOn \`${subject}\`:\n\n\`\`\`json\n${laidOut(event)}\n\`\`\``
}

/** JSON with a line for each member of `data`, and the envelope's in lines of some. The same JSON, for people. */
function laidOut(event: object): string {
  const { data, ...envelope } = event as { data?: object }
  const members = (value: object): string[] =>
    Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${JSON.stringify(inner)}`)
  const lines: string[] = []
  for (const member of members(envelope)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + member.length < 118) lines[lines.length - 1] = `${last}, ${member}`
    else lines.push(member)
  }
  const inner = members(data ?? {}).join(',\n    ')
  return `{\n  ${lines.join(',\n  ')},\n  "data": {\n    ${inner}\n  }\n}`
}

/**
 * The sample config, written from the schema: every key with its meaning and default, active only what must be set.
 * A line `# Text` is prose; `#key:` (no blank behind the #) is config and becomes active when the # is taken away.
 */
import { flow } from './effective.ts'
import { open, outline, type Place, restartNote } from './outline.ts'

const WIDTH = 110

const HEAD = `The configuration of opswire.
What must be set is set. Everything else stands here with its default, behind a # without a blank after it: take the # away to change it.
Durations are written 10s, 5m, 1h or 7d, sizes 64KiB or 2GiB. An unknown key is an error; "opswire check -c FILE" tells every problem at once.
Any value can also come from the environment: OPSWIRE_NATS__STREAM__NAME, or OPSWIRE_SOURCES__FABRIC_A__USERNAME for the source fabric-a.`

/** The whole sample file. It loads as it is, and also with every commented key made active. */
export function sampleConfig(): string {
  const head = HEAD.split('\n').flatMap(line => prose(line, ''))
  return `${[...head, '', ...blockLines(outline(), '')].join('\n')}\n`
}

function blockLines(block: Place, indent: string, everythingActive = false): string[] {
  const entries = Object.entries(block.properties ?? {})
  const lines: string[] = []
  for (const [key, place] of entries) {
    if (place['x-instead-of'] !== undefined) continue
    const mustBeSet = block.required?.includes(key) === true || place['x-must-be-set'] === true
    const active = mustBeSet || (everythingActive && place.default !== undefined)
    if (indent === '' && lines.length > 0) lines.push('')
    lines.push(...prose(meaning(place), indent), ...alternatives(key, entries, indent))
    const own = keyLines(key, place, indent)
    lines.push(...(active ? own : comment(own, indent)))
  }
  return lines
}

/** `key: value`, or the key and what is below it. */
function keyLines(key: string, place: Place, indent: string): string[] {
  if (key === 'sources') return [`${indent}${key}:`, ...sourceLines(place, `${indent}  `)]
  const block = open(place).find(inner => inner.properties !== undefined)
  const isBlock = block !== undefined && place.default !== null
  if (isBlock) {
    // A block that nothing must be set in may not stand empty: YAML would call it null.
    const everythingActive = (block.required ?? []).length === 0
    return [`${indent}${key}:`, ...blockLines(block, `${indent}  `, everythingActive)]
  }
  const item = place.items
  if (item?.properties !== undefined) {
    const keys = Object.entries(item.properties).flatMap(([name, inner]) =>
      prose(`- ${name}: ${meaning(inner)}`, `${indent}  `),
    )
    return [`${indent}${key}:`, ...keys, ...(place['x-example'] ?? []).map(example => `${indent}  - ${flow(example)}`)]
  }
  return [`${indent}${key}: ${flow(place.const ?? place.default ?? place.examples?.[0] ?? null)}`]
}

/** One source of each kind; the first is active. */
function sourceLines(place: Place, indent: string): string[] {
  const kinds = place.items === undefined ? [] : open(place.items)
  return kinds.flatMap((kind, index) => {
    const title = `---- ${kind.properties?.['kind']?.description ?? ''}`
    const [first = '', ...rest] = onlyFrom(blockLines(kind, `${indent}  `), 'name:')
    const lines = [
      first.replace(`${indent}  `, `${indent}- `),
      ...rest.filter(line => !line.endsWith(`# ${title.slice(5)}`)),
    ]
    const nameDoc = prose(meaning(kind.properties?.['name'] ?? {}), indent)
    return [
      ...(index === 0 ? [] : ['']),
      ...prose(title, indent),
      ...nameDoc,
      ...(index === 0 ? lines : comment(lines, indent)),
    ]
  })
}

/** Lines from the first that begins with `start` on: what stands above it goes above the dash. */
function onlyFrom(lines: readonly string[], start: string): string[] {
  return lines.slice(lines.findIndex(line => line.trimStart().startsWith(start)))
}

/** What can be set in place of `key`, as prose: uncommented together they would contradict each other. */
function alternatives(key: string, entries: readonly (readonly [string, Place])[], indent: string): string[] {
  const others = entries.filter(([, place]) => place['x-instead-of'] === key)
  if (others.length === 0) return []
  const lines = others.flatMap(([name, place]) => {
    const further = entries.filter(([, inner]) => inner['x-instead-of'] === name).map(([other]) => other)
    const or = further.length === 0 ? '' : ` Or ${further.join(', ')}, as with other secrets.`
    return prose(`- ${name}: ${meaning(place)}${or}`, indent)
  })
  return [...prose('In its place can be set:', indent), ...lines]
}

/** What a key is for, and what it may hold where the value shown does not tell. */
function meaning(place: Place): string {
  const text = place.description ?? ''
  const words = open(place).flatMap(inner => inner.enum ?? [])
  const told = words.length === 0 || words.every(word => text.includes(String(word)))
  const allowed = told ? '' : ` One of ${[...new Set(words)].join(', ')}.`
  const range =
    place.minimum !== undefined && place.maximum !== undefined && place.maximum !== Number.MAX_SAFE_INTEGER
      ? ` From ${place.minimum} to ${place.maximum}.`
      : ''
  const block = place.default === null ? open(place).find(inner => inner.properties !== undefined) : undefined
  const keys = Object.entries(block?.properties ?? {}).map(([key, inner]) => `${key} (${inner.description ?? ''})`)
  const holds = keys.length === 0 ? '' : ` A block of ${keys.join(', ')}`.replaceAll('.)', ')')
  return `${text}${allowed}${range}${holds}${holds === '' ? '' : '.'}${restartNote(place['x-needs-restart'])}`
}

/** Takes lines out of force: a # at the column of the block. */
function comment(lines: readonly string[], indent: string): string[] {
  return lines.map(line => (line.trim() === '' ? line : `${indent}#${line.slice(indent.length)}`))
}

/** Prose as comment lines, wrapped. */
function prose(text: string, indent: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').filter(part => part !== '')) {
    const room = WIDTH - indent.length - 2
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  if (line !== '') lines.push(line)
  return lines.map(part => `${indent}# ${part}`)
}

/** docs/CONFIG.md: every key of the config, from the one schema. */
import { open, outline, type Place } from '../../src/config/outline.ts'
import { type KeyRow, keyRows } from './config-rows.ts'
import { codes, madeFrom, table } from './table.ts'

const HEAD = `# The config

One file, YAML or JSON. Every key is here; one that is not here is an error. A file to start from, with every key and its default, is
[opswire.example.yaml](../config/opswire.example.yaml); [opswire.schema.json](../config/opswire.schema.json) is for editors. Both,
and this page, come from the schema that the daemon checks with.

\`opswire check -c FILE\` tells every problem at once, with its line. \`opswire config show -c FILE\` prints the values that are in force and where
each comes from.

## Units

- A **duration** is written \`500ms\`, \`10s\`, \`5m\`, \`1h\`, \`1h30m\`, \`7d\` or \`2w\`; a number without a unit is refused.
- A **size** is written \`512B\`, \`64KiB\`, \`500MB\` or \`2GiB\`; KiB, MiB, GiB and TiB go by 1024, KB, MB, GB and TB by 1000.

## Secrets

A secret \`X\` is given in exactly one of four ways:

| key | where the secret is |
|---|---|
| \`X_file\` | in a file, whose path this is; its last line end does not count |
| \`X_credential\` | in a credential of systemd: this is its name, a file in \`$CREDENTIALS_DIRECTORY\` |
| \`X_env\` | in an environment variable, whose name this is |
| \`X\` | here, in the config itself: it works, with a warning |

A secret of a source is read anew at each login, that of NATS at each connection. The content never leaves the process: \`config show\`, log, status and errors have the place or a mask.

## From the environment

Each key has a variable that goes before the file: \`OPSWIRE_\`, then the key in capitals, with \`__\` between a block and what is in it. A source is
named by its name in capitals, with \`_\` for \`-\`: \`OPSWIRE_SOURCES__FABRIC_A__USERNAME\`. A list is written with commas, or as YAML: \`[a, b]\`. One of the four keys of a
secret takes the place of the other three. A variable that begins with \`OPSWIRE_\` and names no key is an error (but for
\`OPSWIRE_TOOLS_DIR\` and \`OPSWIRE_REQUIRE_TOOLS\`, which are for demo and tests). Single
entries of \`subscriptions\` have no variable; the whole list has. Nothing is substituted inside the file.

## What a change needs

\`reload\`: HUP, \`POST /-/reload\` or \`systemctl reload\` takes it up; what happens to a source then stands in [OPERATIONS.md](OPERATIONS.md#reload).
\`restart\`: a reload that finds it changed is refused and changes nothing. A file behind a \`…_file\` secret needs neither.`

const COLUMNS = ['key', 'holds', 'default', 'change', 'from the environment', 'meaning']

function keyTable(rows: readonly KeyRow[]): string {
  return table(
    COLUMNS,
    rows.map(row => [row.key, row.type, row.fallback, row.change, row.variable, row.meaning]),
  )
}

const SOURCE = { variable: 'OPSWIRE_SOURCES__<NAME>__', mark: undefined }

/** The page. */
export function configPage(): string {
  const top = Object.entries(outline().properties ?? {})
  const scalars = top.filter(
    ([, place]) => !open(place).some(one => one.properties !== undefined || one.items !== undefined),
  )
  const scalarRows = keyRows(outline(), { variable: 'OPSWIRE_', mark: undefined }, '', key =>
    scalars.some(([name]) => name === key),
  )
  const blocks = top.filter(([key]) => key !== 'sources' && !scalars.some(([name]) => name === key))
  return `${[
    madeFrom('`src/config/`'),
    HEAD,
    '## The top of the file',
    keyTable(scalarRows),
    ...blocks.flatMap(([key, place]) => blockSection(key, place)),
    ...sourceSections(),
  ].join('\n\n')}\n`
}

function blockSection(key: string, place: Place): string[] {
  const block = open(place).find(one => one.properties !== undefined)
  if (block === undefined) return []
  const above = { variable: `OPSWIRE_${key.toUpperCase()}__`, mark: place['x-needs-restart'] }
  return [`## \`${key}\``, place.description ?? '', keyTable(keyRows(block, above))]
}

function sourceSections(): string[] {
  const kinds = open(outline().properties?.['sources']?.items ?? {})
  const common = commonKeys(kinds)
  const [first] = kinds
  return [
    '## `sources`',
    `${outline().properties?.['sources']?.description ?? ''} A list; the order does not matter. \`<NAME>\` is the name of the source.`,
    '### Of every source',
    keyTable(first === undefined ? [] : keyRows(first, SOURCE, '', key => common.has(key))),
    ...kinds.flatMap(kind => [
      `### \`kind: ${String(kind.properties?.['kind']?.const)}\``,
      kind.properties?.['kind']?.description ?? '',
      keyTable(keyRows(kind, SOURCE, '', key => key !== 'kind' && !common.has(key))),
    ]),
    ...kinds.flatMap(subscriptionSection),
  ]
}

/** What all kinds have, in the same words. */
function commonKeys(kinds: readonly Place[]): Set<string> {
  const said = (kind: Place, key: string): string => {
    const { examples, ...place } = kind.properties?.[key] ?? {}
    return JSON.stringify(place)
  }
  const [first, ...others] = kinds
  const keys = Object.keys(first?.properties ?? {})
  return new Set(keys.filter(key => first !== undefined && others.every(kind => said(kind, key) === said(first, key))))
}

function subscriptionSection(kind: Place): string[] {
  const entry = kind.properties?.['subscriptions']?.items
  if (entry === undefined) return []
  const rows = keyRows(entry, { variable: '', mark: undefined })
  return [
    '### `subscriptions` of an APIC',
    `${kind.properties?.['subscriptions']?.description ?? ''} Which of them go together, and what each becomes on the wire: [APIC-QUERIES.md](APIC-QUERIES.md).`,
    table(
      ['key', 'holds', 'default', 'meaning'],
      rows.map(row => [row.key, row.type, row.fallback, row.meaning]),
    ),
    '### Filters',
    'A filter is a block with exactly one operator:',
    filterTable(entry.properties?.['filter'] ?? {}),
  ]
}

/** The operators by what they take, as the schema has them. */
function filterTable(filter: Place): string {
  const byArguments = new Map<string, string[]>()
  for (const [operator, place] of open(filter).flatMap(one => Object.entries(one.properties ?? {}))) {
    const takes = argumentsOf(place)
    byArguments.set(takes, [...(byArguments.get(takes) ?? []), operator])
  }
  return table(
    ['operator', 'takes'],
    [...byArguments].map(([takes, operators]) => [codes(operators), takes]),
  )
}

function argumentsOf(place: Place): string {
  if (place.prefixItems !== undefined) {
    const values = place.prefixItems.length === 3 ? 'lowest, highest' : 'value'
    return `\`[class.property, ${values}]\``
  }
  if (place.maxItems === 0) return '`[]`'
  return place.items === undefined ? 'one filter, or a list of one' : 'a list of filters'
}

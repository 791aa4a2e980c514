/** `opswire check`: every problem of a config at once, or what the daemon would do with it. Connects nowhere but with `--connect`. */
import type { Loaded } from '../config/load.ts'
import { spell } from '../config/outline.ts'
import { ConfigInvalid, type Finding, printable, sayFinding } from '../config/problems.ts'
import type { SubscriptionConfig } from '../config/query.ts'
import type { Config } from '../config/schema.ts'
import type { SourceConfig } from '../config/sources.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { readArguments } from './arguments.ts'
import { type CliIo, EXIT, type Paint, painter } from './io.ts'
import { load } from './load.ts'

export async function run(args: string[], io: CliIo): Promise<number> {
  const given = readArguments('check', args)
  const file = given.needed('config')
  const json = given.has('json')
  let loaded: Loaded
  try {
    loaded = await load(file, io.env)
  } catch (error) {
    if (!(error instanceof ConfigInvalid)) throw error
    io.stdout.write(json ? toJson(file, error.problems, []) : sayProblems(file, error.problems, painter(io)))
    return EXIT.config
  }
  if (given.has('connect')) return connect(loaded, json, io)
  io.stdout.write(json ? toJson(file, [], loaded.warnings) : sayGood(loaded, painter(io)))
  return EXIT.ok
}

/** A file that is good, and the world that it speaks of. */
async function connect({ config, file, warnings }: Loaded, json: boolean, io: CliIo): Promise<number> {
  const { connectAll } = await import('./connect.ts')
  const { connectRows, connectTable, exitOf } = await import('./connect-print.ts')
  const paint = painter(io)
  const connected = await connectAll(config, io)
  if (json)
    io.stdout.write(toJson(file, [], warnings, { steps: connectRows(connected), interrupted: connected.interrupted }))
  else {
    io.stdout.write(`${paint('green', printable(`${file} is good.`))}\n`)
    for (const warning of warnings) io.stdout.write(`${sayFinding(file, warning)}\n`)
    io.stdout.write(connectTable(connected, paint))
  }
  return exitOf(connected)
}

function toJson(
  file: string,
  problems: readonly Finding[],
  warnings: readonly Finding[],
  connected?: { readonly steps: readonly object[]; readonly interrupted: boolean },
): string {
  const rows = (findings: readonly Finding[]) => findings.map(finding => ({ ...finding, path: spell(finding.path) }))
  const document = {
    file,
    valid: problems.length === 0,
    problems: rows(problems),
    warnings: rows(warnings),
    ...connected,
  }
  return `${JSON.stringify(document, null, 2)}\n`
}

function sayProblems(file: string, problems: readonly Finding[], paint: Paint): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  return [...problems.map(problem => sayFinding(file, problem)), '', paint('red', count), ''].join('\n')
}

function sayGood(loaded: Loaded, paint: Paint): string {
  const { config, file, warnings } = loaded
  const width = Math.max(...config.sources.map(source => source.name.length))
  const lines = [
    paint('green', printable(`${file} is good. The daemon would`)),
    ...config.sources.flatMap(source => saySource(source, width, paint)),
    ...sayRest(config),
  ]
  if (warnings.length > 0) {
    const count = warnings.length === 1 ? '1 warning' : `${warnings.length} warnings`
    lines.push('', paint('yellow', count), ...warnings.map(warning => sayFinding(file, warning)))
  }
  return `${lines.join('\n')}\n`
}

function saySource(source: SourceConfig, width: number, paint: Paint): string[] {
  const address = source.kind === 'apic' ? source.controllers.join(', ') : source.url
  const note = source.required ? '' : ' (not required for readiness)'
  const head = `  watch ${paint('bold', source.name.padEnd(width))}  ${source.kind}  ${printable(address)}${note}`
  const room = ' '.repeat(10 + width)
  return [head, ...sourceWork(source).map(text => `${room}${printable(text)}`)]
}

function sourceWork(source: SourceConfig): string[] {
  const since = (backfill: number): string => (backfill > 0 ? `, beginning ${formatDuration(backfill)} back` : '')
  if (source.kind === 'apic') return source.subscriptions.map(saySubscription)
  const every = `every ${formatDuration(source.poll_interval)}, swept every ${formatDuration(source.sweep_interval)}`
  if (source.kind === 'vcd') return [`audit trail of ${source.org} ${every}${since(source.backfill)}`]
  const what = [...(source.jobs ? ['job runs'] : []), 'returns', ...(source.audit ? ['audit log'] : [])]
  return [`${what.join(', ')} ${every}${since(source.backfill)}`]
}

function saySubscription(subscription: SubscriptionConfig): string {
  const { class: one, mo, tag, raw } = subscription
  const what =
    one !== undefined ? `class ${one}` : mo !== undefined ? `object ${mo}` : tag !== undefined ? `tag ${tag}` : `${raw}`
  const below = subscription.target_subtree_class
  const classes = below === undefined ? '' : ` (${[below].flat().join(', ')})`
  const target = subscription.query_target === undefined ? '' : ` with its ${subscription.query_target}${classes}`
  const filter = subscription.filter === undefined ? '' : ', filtered'
  const first = subscription.snapshot === 'publish' ? ', publishing what is there already' : ''
  const back = subscription.backfill === undefined ? '' : `, beginning ${formatDuration(subscription.backfill)} back`
  return `${what}${target}${filter}${first}${back}`
}

function sayRest(config: Config): string[] {
  const { nats, state_dir, store, http } = config
  const sink =
    nats === undefined
      ? 'stdout, one JSON object a line (there is no nats block)'
      : `${nats.servers.join(', ')}, stream ${nats.stream.name} on ${nats.prefix}.>${nats.stream.create ? ' (created when missing)' : ''}`
  const place = state_dir === undefined ? 'memory' : state_dir
  return [
    printable(`  publish to ${sink}`),
    printable(`  keep up to ${formatSize(store.max_bytes)} in ${place} until delivered`),
    printable(`  serve ${http.tls === null ? 'http' : 'https'}://${http.listen} (page, status, metrics, health)`),
  ]
}

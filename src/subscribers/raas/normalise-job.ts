/** Job definitions and job runs → `raas.job.*` and `raas.run.*`, chained or keyed through the mirror. Pure. */
import { hash } from 'node:crypto'
import { type Fact, type JobData, makeFact, type Origin, type Severity, type SourceRef } from '../../event.ts'
import type { ManagedObject } from '../../record.ts'
import { maskText } from './mask-text.ts'
import { canonical } from './normalise-return.ts'
import { redacted, without } from './redact.ts'
import { isoOfUs, isRow, type Row, type RunRow, textOf } from './rows.ts'

export const DEFINITION = 'definition'
export const RUN = 'run'

/** A run in one of these has ended; `completed_missing_returns` may still change when late returns come. */
const TERMINAL = new Set([
  'completed_missing_returns',
  'completed_failures',
  'completed_all_successful',
  'stopped',
  'skipped',
  'disabled',
])

export function isTerminal(state: string): boolean {
  return TERMINAL.has(state)
}

/** What a definition is made of. Arguments are kept as a digest: they may hold secrets. */
export function definitionAttributes(row: Row): Record<string, string> {
  const result: Record<string, string> = {}
  for (const name of ['name', 'desc', 'cmd', 'fun', 'tgt_uuid', 'tgt_name', 'masters']) {
    const value = row[name]
    result[name] = typeof value === 'string' ? value : value === null || value === undefined ? '' : canonical(value)
  }
  result['arg'] = hash('sha256', canonical(row['arg'] ?? null), 'hex').slice(0, 32)
  return result
}

/** What a job was called with: it may hold anything. */
const ARGUMENTS = ['arg', 'args', 'kwarg', 'kwargs', 'fun_args']

function masked(text: string | undefined): string | null {
  return text === undefined ? null : maskText(text)
}

function same(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return canonical(a) === canonical(b)
}

/** Undefined when the definition is as the mirror knows it. The fact's id is the object's new version. */
export function normaliseDefinition(
  source: SourceRef,
  uuid: string,
  row: Row,
  previous: ManagedObject | undefined,
  options: { readonly raw: boolean; readonly origin: Origin },
): { readonly fact: Fact; readonly object: ManagedObject } | undefined {
  const attributes = definitionAttributes(row)
  if (previous !== undefined && same(previous.attributes, attributes)) return undefined
  const verb = previous === undefined ? 'defined' : 'redefined'
  const changes = Object.keys(attributes)
    .filter(name => previous !== undefined && previous.attributes[name] !== attributes[name])
    .map(name =>
      name === 'arg'
        ? { property: name, old: null, new: null }
        : { property: name, old: masked(previous?.attributes[name]), new: masked(attributes[name]) },
    )
  const fact = makeFact(source, {
    family: DEFINITION,
    key: [uuid, previous?.version || null, canonical(attributes)],
    ...definitionDraft(uuid, attributes, verb, options.origin),
    data: {
      ...definitionData(uuid, attributes, verb),
      ...(changes.length === 0 ? {} : { changes }),
      ...(options.raw ? { raw: redacted(without(row, ARGUMENTS)) } : {}),
    },
  })
  return { fact, object: { key: uuid, family: DEFINITION, version: fact.id, attributes } }
}

export function normaliseRemoval(source: SourceRef, previous: ManagedObject, origin: Origin): Fact {
  return makeFact(source, {
    family: DEFINITION,
    key: [previous.key, previous.version || null, 'deleted'],
    ...definitionDraft(previous.key, previous.attributes, 'removed', origin),
    data: definitionData(previous.key, previous.attributes, 'removed'),
  })
}

type Verb = 'defined' | 'redefined' | 'removed'

function definitionDraft(uuid: string, _attributes: Readonly<Record<string, string>>, verb: Verb, origin: Origin) {
  return { type: `raas.job.${verb}`, subject: uuid, partitionkey: uuid, severity: 'info' as const, origin }
}

function definitionData(uuid: string, attributes: Readonly<Record<string, string>>, verb: Verb) {
  const job: JobData = {
    uuid,
    name: attributes['name'] ?? null,
    function: attributes['fun'] ?? null,
    target: attributes['tgt_name'] || null,
  }
  return {
    kind: 'job' as const,
    summary: `Job "${attributes['name'] ?? uuid}" (${attributes['fun'] ?? 'no function'}) was ${verb}`,
    state: null,
    outcome: null,
    alertKey: null,
    resource: { kind: 'job', id: uuid, ...(attributes['name'] === undefined ? {} : { name: attributes['name'] }) },
    action: verb,
    job,
  }
}

/** What the mirror keeps of a run. `checked`: how many returns are known to have been seen; `ended`: when it ended. */
export function runAttributes(row: RunRow, kept: Readonly<Record<string, string>>): Record<string, string> {
  return {
    ...kept,
    state: row.state,
    expected: String(row.expected),
    returned: String(row.returned),
    good: String(row.good),
    failed: String(row.failed),
    missing: String(row.missing),
    ...(row.startUs === undefined ? {} : { start: isoOfUs(row.startUs) }),
    ...(row.fun === null ? {} : { fun: row.fun }),
  }
}

const COUNTED = ['state', 'expected', 'returned', 'good', 'failed', 'missing'] as const

/**
 * The facts between what the mirror knows of a run and what the row says: `started` once, then `updated` for each
 * change, `completed` once. A run first seen at its end gives both. Empty when nothing changed.
 */
export function normaliseRun(
  source: SourceRef,
  row: RunRow,
  previous: ManagedObject | undefined,
  options: { readonly raw: boolean; readonly origin: Origin },
): Fact[] {
  const facts: Fact[] = []
  if (previous === undefined) facts.push(runFact(source, row, 'started', options))
  else {
    const now = runAttributes(row, {})
    if (COUNTED.every(name => previous.attributes[name] === now[name])) return []
  }
  const hadEnded = previous !== undefined && isTerminal(previous.attributes['state'] ?? '')
  if (isTerminal(row.state) && !hadEnded) facts.push(runFact(source, row, 'completed', options))
  else if (previous !== undefined) facts.push(runFact(source, row, 'updated', options))
  return facts
}

/** Names the minions that have not answered, when the run ended without them. */
export function normaliseMissing(
  source: SourceRef,
  row: RunRow,
  minions: readonly string[],
  options: { readonly raw: boolean; readonly origin: Origin },
): Fact {
  return runFact(source, row, 'missing', options, minions)
}

type RunVerb = 'started' | 'updated' | 'completed' | 'missing'

function severityOf(row: RunRow, verb: RunVerb): Severity {
  if (verb === 'missing') return 'warning'
  if (row.failed > 0 || row.state === 'completed_failures') return 'minor'
  return isTerminal(row.state) && row.missing > 0 ? 'warning' : 'info'
}

function outcomeOf(row: RunRow): 'success' | 'failure' | 'unknown' | null {
  if (!isTerminal(row.state)) return null
  if (row.failed > 0 || row.state === 'completed_failures') return 'failure'
  // The vendor's own warning: a state may say completed when no minion returned.
  if (row.missing > 0 || row.returned === 0 || !row.state.startsWith('completed_')) return 'unknown'
  return 'success'
}

function runFact(
  source: SourceRef,
  row: RunRow,
  verb: RunVerb,
  options: { readonly raw: boolean; readonly origin: Origin },
  missingMinions?: readonly string[],
): Fact {
  const what = row.jobName ?? row.fun ?? 'job'
  return makeFact(source, {
    family: 'jobs',
    key: runKey(row, verb),
    type: `raas.run.${verb}`,
    subject: row.jid,
    ...(verb === 'started' && row.startUs !== undefined ? { time: isoOfUs(row.startUs) } : {}),
    partitionkey: row.jid,
    severity: severityOf(row, verb),
    origin: options.origin,
    data: {
      kind: 'job',
      summary: `${what} (job ${row.jid}): ${summaryOf(row, verb, missingMinions)}`,
      state: null,
      outcome: verb === 'started' ? null : outcomeOf(row),
      alertKey: null,
      resource: { kind: 'run', id: row.jid, jid: row.jid, ...(row.jobUuid === null ? {} : { job: row.jobUuid }) },
      ...(row.user === null ? {} : { actor: { user: row.user } }),
      action: verb,
      job: {
        uuid: row.jobUuid,
        jid: row.jid,
        name: row.jobName,
        function: row.fun,
        target: row.target,
        state: row.state,
        expected: row.expected,
        returned: row.returned,
        succeeded: row.good,
        failed: row.failed,
        missing: row.missing,
        ...(missingMinions === undefined ? {} : { missingMinions: [...missingMinions] }),
        masters: [...row.masters],
      },
      ...(options.raw ? { raw: redacted(without(row.raw, ARGUMENTS)) } : {}),
    },
  })
}

/** The same state and counters can stand behind two verbs (a run first seen at its end), so the verb is in the key. */
export function runKey(row: RunRow, verb: RunVerb): readonly unknown[] {
  return verb === 'started' ? [row.jid, verb] : [row.jid, verb, row.state, ...countersOf(row)]
}

function countersOf(row: RunRow): number[] {
  return [row.expected, row.returned, row.good, row.failed, row.missing]
}

function summaryOf(row: RunRow, verb: RunVerb, missing: readonly string[] | undefined): string {
  if (verb === 'started') return `${row.fun ?? 'a function'} started${row.user === null ? '' : ` by ${row.user}`}`
  const counts = `${row.returned} of ${row.expected} returned, ${row.failed} failed`
  if (verb !== 'missing') return `${row.state.replaceAll('_', ' ')}, ${counts}`
  const names = missing ?? []
  const shown = names.slice(0, 5).join(', ')
  const rest = Math.max(row.missing, names.length) - Math.min(5, names.length)
  return `no answer from ${shown === '' ? `${row.missing} minions` : rest > 0 ? `${shown} and ${rest} more` : shown}`
}

/** Name and uuid of a definition row; undefined for a row without a uuid. */
export function definitionUuid(row: unknown): string | undefined {
  return isRow(row) ? (textOf(row['uuid'] ?? row['job_uuid']) ?? undefined) : undefined
}

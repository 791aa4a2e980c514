/** The labels of the metrics: what each may hold. Tests hold real pages against it. */

import { ERROR_CODES } from '../../src/error-codes.ts'
import { GAP_REASONS, KINDS, TOKEN_FLAGS } from '../../src/event-schema.ts'
import { NODE_STATES, ROLES } from '../../src/subscribers/apic/gauges.ts'
import { codes } from './table.ts'

export interface Label {
  /** Every value that there can be; absent where config or source say them. */
  readonly values?: readonly string[]
  /** What the value is, or what bounds it. */
  readonly says?: string
}

const SEVERITIES = ['critical', 'major', 'minor', 'warning', 'info']

/** By label, or by metric and label where the same word means something else. */
const LABELS: Readonly<Record<string, Label>> = {
  source: { says: 'the name of a source of the config' },
  kind: { values: KINDS },
  severity: { values: SEVERITIES },
  origin: { values: ['live', 'snapshot', 'resync', 'backfill'] },
  lease: { values: ['session', 'subscription', 'lifetime'] },
  outcome: { values: ['success', 'failure', 'unknown'] },
  feed: { says: 'the name of a feed of the source; past 500 feeds of one source: `other`' },
  mode: {
    values: ['push', 'polling', 'catching_up', 'tail_and_jobs', 'tail', 'jobs', 'definitions', 'runs'],
    says: 'APIC: push; VCD: polling; RaaS: what the login may read',
  },
  flag: { values: TOKEN_FLAGS },
  token: { says: 'a name of the token inventory, `unknown` or `none`; past 2000 series of one source: `other`' },
  operation: {
    says: 'what was asked: a word of the code, for RaaS the name of the method (listed in [SECURITY.md](SECURITY.md)); past 500 series of one source: `other`',
  },
  scope: { says: 'an entry of `health_scopes`' },
  role: { values: [...ROLES, 'other'] },
  version: { says: 'the version of opswire' },
  node: { says: 'the version of Node.js' },
  'opswire_published_total.result': { values: ['ok', 'duplicate', 'retry', 'too_large'] },
  'opswire_lease_renewals_total.result': {
    values: ['ok', 'retried', 'refused', 'failed'],
    says: 'retried: renewed at a second try; refused: for good; failed: this try did not renew it, another follows',
  },
  'opswire_request_seconds.result': {
    values: ['ok', 'refused', 'throttled', 'timeout', 'error'],
    says: 'refused: a status from 400 to 499; throttled: 429, or from 500 on; timeout and error: no whole answer',
  },
  'opswire_reconnects_total.reason': {
    values: Object.keys(ERROR_CODES),
    says: '[error codes](ERRORS.md#codes)',
  },
  'opswire_gaps_total.reason': { values: GAP_REASONS },
  'opswire_subscriptions.state': {
    values: ['starting', 'live', 'resyncing', 'lost', 'disabled'],
    says: 'starting: the first contact; resyncing: a hole is being closed; lost: it is being made anew; disabled: refused, asked again in minutes',
  },
  'opswire_faults.state': { values: ['pending', 'firing', 'clearing', 'resolved'] },
  'opswire_nodes.state': { values: [...NODE_STATES, 'other'] },
}

/** What a label of a metric may hold; undefined when nobody wrote it down. */
export function labelOf(metric: string, label: string): Label | undefined {
  return LABELS[`${metric}.${label}`] ?? LABELS[label]
}

/** As Markdown. */
export function describeLabel(metric: string, label: string): string {
  const known = labelOf(metric, label)
  if (known === undefined) throw new Error(`scripts/reference/labels.ts does not say what ${metric}{${label}} holds`)
  const { values, says } = known
  const words = values === undefined || says?.startsWith('[') === true ? [] : [codes(values)]
  return `\`${label}\`: ${[...words, ...(says === undefined ? [] : [says])].join('; ')}`
}

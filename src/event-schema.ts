/**
 * The one event form, as a schema: CloudEvents 1.0 (structured JSON) with documented extension attributes.
 * The types of the whole program and the shipped JSON Schema come from here. Not used on the hot path.
 */
import { z } from 'zod'

export const KINDS = [
  'fault',
  'event',
  'audit',
  'session',
  'health',
  'state',
  'job',
  'return',
  'gap',
  'source',
] as const

export const GAP_REASONS = [
  'history_purged',
  'retention',
  'backlog_limit',
  'outage_no_history',
  'state_lost',
  'anchor_missing',
  'row_limit',
  'paused',
] as const

/** What is remarkable in the use of an API token. Words may be added; a consumer ignores those it doesn't know. */
export const TOKEN_FLAGS = [
  'unknown-token',
  'first-use',
  'new-address',
  'second-user',
  'stale-user',
  'expired-in-inventory',
] as const

export type TokenFlag = (typeof TOKEN_FLAGS)[number]

const timestamp = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/)
const text = z.string()

export const resourceSchema = z
  .object({ kind: text, id: text })
  .catchall(text)
  .describe('What the event is about: kind and id, and the parts an alert is routed by (pod, node, tenant, minion, …).')

export const actorSchema = z
  .strictObject({
    user: text.optional(),
    via: z.enum(['token', 'interactive', 'unknown']).optional(),
    tokenId: text.optional(),
    tokenName: text.optional(),
    tokenOwner: text.optional(),
    org: text.optional(),
    address: text.optional(),
    proxyAddress: text.optional(),
    session: text.optional(),
    roles: text.optional(),
  })
  .describe('Who did it, and through which API token where the source tells.')

export const gapSchema = z.strictObject({
  feed: text,
  classes: z.array(text),
  from: timestamp.nullable(),
  to: timestamp.nullable(),
  reason: z.enum(GAP_REASONS),
  recovered: z.int().nonnegative(),
})

const returnSchema = z.strictObject({
  jid: text,
  minion: text,
  master: text,
  function: text,
  reason: text.describe('Why the verdict is what it is.'),
  failed: z.int().nonnegative().nullable(),
  changed: z.int().nonnegative().nullable(),
  total: z.int().nonnegative().nullable(),
  failedStates: z.array(text).optional(),
  hasErrors: z.boolean().nullable().optional(),
  success: z.boolean().nullable().optional(),
  retcode: z.int().nullable().optional(),
  revision: z.int().positive().optional(),
  omitted: z.boolean().optional().describe('The body was left out (the default) or was too large to fetch.'),
})

export const jobSchema = z.strictObject({
  uuid: text.nullable().optional(),
  jid: text.nullable().optional(),
  name: text.nullable().optional(),
  function: text.nullable().optional(),
  target: text.nullable().optional(),
  state: text.nullable().optional(),
  expected: z.int().nullable().optional(),
  returned: z.int().nullable().optional(),
  succeeded: z.int().nullable().optional(),
  failed: z.int().nullable().optional(),
  missing: z.int().nullable().optional(),
  missingMinions: z.array(text).optional(),
  masters: z.array(text).optional(),
})

const healthSchema = z.strictObject({ score: z.number(), previous: z.number().nullable() })

export const dataSchema = z.strictObject({
  kind: z.enum(KINDS),
  summary: text.min(1).describe('One line that a person can act on.'),
  state: z.enum(['pending', 'firing', 'clearing', 'resolved']).nullable(),
  outcome: z.enum(['success', 'failure', 'unknown']).nullable(),
  alertKey: text.nullable(),
  resource: resourceSchema,
  actor: actorSchema.optional(),
  code: text.optional(),
  cause: text.optional(),
  action: text.optional().describe('What was done: creation, modification, deletion, or the verb of the source.'),
  description: text.optional(),
  changes: z.array(z.strictObject({ property: text, old: text.nullable(), new: text.nullable() })).optional(),
  flags: z
    .array(text)
    .optional()
    .describe(`Remarkable things. Of an API token: ${TOKEN_FLAGS.join(', ')}. Others: truncated, external, acked, ….`),
  return: returnSchema.optional(),
  job: jobSchema.optional(),
  gap: gapSchema.optional(),
  health: healthSchema.optional(),
  raw: z.unknown().optional().describe("The source's own object, without secrets."),
})

export const eventSchema = z
  .strictObject({
    specversion: z.literal('1.0'),
    id: z.string().regex(/^[0-9a-f]{32}$/),
    source: z.string().regex(/^\/(apic|raas|vcd)\/[a-z][a-z0-9-]{0,31}$/),
    type: z.string().regex(/^[a-z]+(\.[A-Za-z0-9_-]+)+$/),
    subject: text.min(1),
    time: timestamp.optional().describe("The source's own time; left out when it gives none."),
    recordedtime: timestamp,
    datacontenttype: z.literal('application/json'),
    partitionkey: text.min(1),
    severitytext: z.enum(['critical', 'major', 'minor', 'warning', 'info']),
    severitynumber: z.int(),
    origin: z.enum(['live', 'snapshot', 'resync', 'backfill']),
    truncated: z.literal(true).optional(),
    data: dataSchema,
  })
  .meta({ title: 'opswire event' })

/** The JSON Schema (draft 2020-12) of an event, as shipped in `config/event.schema.json`. */
export function eventJsonSchema(): unknown {
  return z.toJSONSchema(eventSchema)
}

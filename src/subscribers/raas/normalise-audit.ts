/** A row of audit.get_audit → `raas.audit`. Pure. */
import { Poison } from '../../errors.ts'
import { type Fact, makeFact, type Origin, type SourceRef } from '../../event.ts'
import { READING_METHODS } from './client.ts'
import { redacted } from './redact.ts'
import { booleanOf, isoOfUs, isRow, parseUs, type Row, textOf } from './rows.ts'

export interface AuditRow {
  readonly id: string
  readonly startUs: number | undefined
  readonly username: string | null
  readonly type: string | null
  readonly name: string
  readonly failed: boolean | null
  readonly session: string | null
  readonly raw: Row
}

/** Throws `Poison` without an id. */
export function readAudit(value: unknown): AuditRow {
  const id = isRow(value) ? textOf(value['id'] ?? value['uuid']) : null
  if (!isRow(value) || id === null) throw new Poison('an audit row has no id')
  return {
    id,
    startUs: parseUs(value['start_time']) ?? parseUs(value['end_time']),
    username: textOf(value['username']),
    type: textOf(value['event_type']),
    name: textOf(value['event_name']) ?? 'unknown',
    failed: booleanOf(value['failed']),
    session: textOf(value['session_uuid']),
    raw: value,
  }
}

const OWN_READING: readonly string[] = READING_METHODS

/** Each read is itself audited: told of its own reading, opswire would never come to rest. */
export function isOwnReading(row: AuditRow, username: string | undefined): boolean {
  return row.username === username && OWN_READING.includes(row.name)
}

/** Rows hold request headers, Authorization among them: secrets are masked whatever the config says. */
export function normaliseAudit(source: SourceRef, row: AuditRow, raw: boolean, origin: Origin): Fact {
  const who = row.username ?? 'somebody'
  return makeFact(source, {
    family: 'audit',
    // Ids are integers of one database: after a restore they are given again, to other rows.
    key: [row.id, row.startUs === undefined ? null : isoOfUs(row.startUs), row.name, row.username],
    type: 'raas.audit',
    subject: row.id,
    ...(row.startUs === undefined ? {} : { time: isoOfUs(row.startUs) }),
    partitionkey: row.session ?? row.id,
    severity: row.failed === true ? 'warning' : 'info',
    origin,
    data: {
      kind: 'audit',
      summary: `${who}: ${row.name}${row.failed === true ? ' failed' : ''}`,
      state: null,
      outcome: row.failed === null ? 'unknown' : row.failed ? 'failure' : 'success',
      alertKey: null,
      resource: { kind: row.type ?? 'audit', id: row.id },
      actor: {
        ...(row.username === null ? {} : { user: row.username }),
        ...(row.session === null ? {} : { session: row.session }),
      },
      action: row.name,
      ...(raw ? { raw: redacted(row.raw) } : {}),
    },
  })
}

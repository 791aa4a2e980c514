/** Tells consumers of the stream that something was put among the dead letters: never its content, which may hold anything. */
import { hash } from 'node:crypto'
import type { EventRecord } from './record.ts'

export interface DeadLetterNotice {
  readonly source: string
  readonly reason: string
  readonly atMs: number
  /** Size of the content. */
  readonly bytes: number
  /** SHA-256 of the content, hex. */
  readonly digest: string
  /** The dead letter's key in the local store. */
  readonly key: string
}

/**
 * The notice as a record for the store: a CloudEvent of type `opswire.dead_letter` on `<prefix>._dead.<source>`. Its id
 * follows from source, key and digest. The store calls it in the letter's own transaction (`Append.notice`).
 */
export function noticeRecord(notice: DeadLetterNotice): Omit<EventRecord, 'seq'> {
  const { source, reason, atMs, bytes, digest, key } = notice
  const time = new Date(atMs).toISOString()
  const id = hash('sha256', JSON.stringify([source, 'dead_letter', key, digest]), 'hex').slice(0, 32)
  const event = {
    specversion: '1.0',
    id,
    source: `/opswire/${source}`,
    type: 'opswire.dead_letter',
    subject: key,
    time,
    datacontenttype: 'application/json',
    data: { source, reason, time, size: bytes, digest, key },
  }
  return {
    id,
    subject: `_dead.${source}`,
    partitionkey: key,
    recordedMs: atMs,
    body: Buffer.from(JSON.stringify(event)),
  }
}

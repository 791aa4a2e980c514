/** Job definitions: the whole list compared with the mirror, since they carry no times (raas.md §2.3 job.get_jobs). */
import type { RaasConfig } from '../../config/sources.ts'
import type { Origin, SourceRef } from '../../event.ts'
import type { MirrorChange } from '../../record.ts'
import type { Batch, OpenContext } from '../contract.ts'
import type { RaasClient } from './client.ts'
import {
  DEFINITION,
  definitionAttributes,
  definitionUuid,
  normaliseDefinition,
  normaliseRemoval,
} from './normalise-job.ts'
import { pageOf, type Row } from './rows.ts'
import type { JobsCursor } from './runs.ts'
import { type ReadPage, readAll } from './walk.ts'

const PAGE = 200

export interface DefinitionsOptions {
  readonly config: RaasConfig
  readonly ref: SourceRef
  readonly client: RaasClient
  readonly context: OpenContext
  readonly cursor: JobsCursor
  readonly push: (batch: Batch) => Promise<void>
}

export class DefinitionsFeed {
  readonly #options: DefinitionsOptions
  #polls = 0

  constructor(options: DefinitionsOptions) {
    this.#options = options
  }

  /** Lists, compares, publishes. The first contact only fills the mirror. */
  async poll(): Promise<void> {
    const { config, ref, context, cursor, push } = this.#options
    const isFirst = !cursor.definitions
    const origin: Origin = this.#polls === 0 ? 'resync' : 'live'
    const options = { raw: config.raw, origin }
    const listed = await this.#list()
    const facts = isFirst ? cursor.gapBefore(ref, context.lostAtMs(), context.clock.wall()) : []
    const mirror: MirrorChange[] = []
    for (const [uuid, row] of listed) {
      if (isFirst) {
        const object = { key: uuid, family: DEFINITION, version: '', attributes: definitionAttributes(row) }
        mirror.push({ key: uuid, object })
        continue
      }
      const change = normaliseDefinition(ref, uuid, row, context.mirror.get(uuid), options)
      if (change === undefined) continue
      facts.push(change.fact)
      mirror.push({ key: uuid, object: change.object })
    }
    for (const object of [...context.mirror.values()]) {
      if (object.family !== DEFINITION || listed.has(object.key)) continue
      // A page boundary can hide a row while others come and go: ask for this one before saying that it is gone.
      if (await this.#exists(object.key)) continue
      if (!isFirst) facts.push(normaliseRemoval(ref, object, origin))
      mirror.push({ key: object.key, object: null })
    }
    this.#polls++
    if (!isFirst && mirror.length === 0) return
    cursor.definitions = true
    await push({ feed: 'jobs', facts, mirror, cursor: cursor.now() })
  }

  async #list(): Promise<Map<string, Row>> {
    const page: ReadPage = async (limit, number) =>
      pageOf(await this.#options.client.call('job.get_jobs', { sort_by: 'name', limit, page: number }))
    const result = new Map<string, Row>()
    for (const row of await readAll(page, PAGE)) {
      const uuid = definitionUuid(row)
      if (uuid !== undefined) result.set(uuid, row as Row)
    }
    return result
  }

  async #exists(uuid: string): Promise<boolean> {
    const page = pageOf(await this.#options.client.call('job.get_jobs', { job_uuid: uuid, limit: 1, page: 0 }))
    return page.rows.some(row => definitionUuid(row) === uuid)
  }
}

/** What this server and this account can do, found by asking (raas.md §6). Nothing here changes anything. */
import { Fatal } from '../../errors.ts'
import { isRefused, type RaasClient, type ReadingMethod } from './client.ts'

export interface Capabilities {
  /** ret.get_returns answers. */
  readonly returns: boolean
  /** … and sorts by alter_time: returns can be walked. */
  readonly tail: boolean
  /** cmd.get_cmds answers. */
  readonly runs: boolean
  /** job.get_jobs answers. */
  readonly definitions: boolean
  readonly audit: boolean
  /** Why something is off, by method. */
  readonly refusals: ReadonlyMap<ReadingMethod, string>
}

interface Wanted {
  readonly jobs: boolean
  readonly audit: boolean
}

/** Throws `Fatal('permission')` when neither returns nor runs can be read; else what the client throws. */
export async function probe(client: RaasClient, wanted: Wanted): Promise<Capabilities> {
  const refusals = new Map<ReadingMethod, string>()
  const can = async (method: ReadingMethod, kwarg: Readonly<Record<string, unknown>>): Promise<boolean> => {
    try {
      await client.call(method, kwarg)
      refusals.delete(method)
      return true
    } catch (error) {
      if (!isRefused(error)) throw error
      refusals.set(method, (error as Error).message)
      return false
    }
  }
  const one = { limit: 1, page: 0 }
  const tail = await can('ret.get_returns', { ...one, sort_by: 'alter_time', reverse: true })
  const returns = tail || (await can('ret.get_returns', one))
  const runs = (wanted.jobs || !tail) && (await can('cmd.get_cmds', one))
  if (!tail && !runs) {
    const why = [...refusals.values()].join('; ')
    throw new Fatal('permission', `neither returns nor runs can be read: the account needs a role that may (${why})`)
  }
  const definitions = wanted.jobs && (await can('job.get_jobs', one))
  const audit = wanted.audit && (await can('audit.get_audit', one))
  return { returns, tail, runs, definitions, audit, refusals }
}

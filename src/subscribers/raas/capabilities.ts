/** What this server and this account can do, found by asking (raas.md §6). Nothing here changes anything. */
import { Fatal, Retryable } from '../../errors.ts'
import { isRefused, type RaasClient, type ReadingMethod, RpcError } from './client.ts'
import { isRow, textOf } from './rows.ts'

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
  /** The server's version in its own words; undefined when it does not tell. */
  readonly version: string | undefined
  /** Why something is off, by method. */
  readonly refusals: ReadonlyMap<ReadingMethod, string>
}

interface Wanted {
  readonly jobs: boolean
  readonly audit: boolean
}

/**
 * Throws `Fatal('permission')` when neither returns nor runs can be read; else what the client throws. A method that
 * fails inside the server does not keep the others from being asked.
 */
export async function probe(client: RaasClient, wanted: Wanted): Promise<Capabilities> {
  const refusals = new Map<ReadingMethod, string>()
  const broken: string[] = []
  let failure: RpcError | undefined
  const can = async (method: ReadingMethod, kwarg: Readonly<Record<string, unknown>>): Promise<boolean> => {
    const reason = client.leftAlone(method)
    if (reason !== undefined) {
      refusals.set(method, reason)
      broken.push(reason)
      return false
    }
    try {
      await client.call(method, kwarg)
      refusals.delete(method)
      return true
    } catch (error) {
      if (!isRefused(error)) {
        if (!(error instanceof RpcError)) throw error
        failure ??= error
        return false
      }
      refusals.set(method, (error as Error).message)
      return false
    }
  }
  const one = { limit: 1, page: 0 }
  const tail = await can('ret.get_returns', { ...one, sort_by: 'alter_time', reverse: true })
  const returns = tail || (failure === undefined && (await can('ret.get_returns', one)))
  const runs = (wanted.jobs || !tail) && (await can('cmd.get_cmds', one))
  const definitions = wanted.jobs && (await can('job.get_jobs', one))
  const audit = wanted.audit && (await can('audit.get_audit', one))
  if (failure !== undefined) throw failure
  if (!tail && !runs) {
    const why = [...refusals.values()].join('; ')
    if (broken.length > 0) throw new Retryable('protocol', `neither returns nor runs can be read now (${why})`)
    throw new Fatal('permission', `neither returns nor runs can be read: the account needs a role that may (${why})`)
  }
  return { returns, tail, runs, definitions, audit, version: await versionOf(client), refusals }
}

/** The version that the server tells; undefined when it does not. Throws what the client throws, refusals apart. */
export async function versionOf(client: RaasClient): Promise<string | undefined> {
  try {
    const answer = await client.call('api.get_versions', {})
    // One server's answer is an object, another's a bare string.
    const raas = isRow(answer) ? answer['raas'] : answer
    const version = isRow(raas) ? raas['raas'] : raas
    return textOf(version)?.slice(0, 60)
  } catch (error) {
    if (error instanceof RpcError || isRefused(error)) return undefined
    throw error
  }
}

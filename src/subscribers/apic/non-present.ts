/**
 * `childAction: deleteNonPresent` says that children which a message does not show are gone (reference a8). Whether the
 * message of a narrower subscription shows all children is not known, so they are asked for before they count as gone.
 */
import type { Cancel } from '../../scheduler/clock.ts'
import { applyChange } from './apply.ts'
import { isSessionError } from './client.ts'
import type { Core, Watched } from './core.ts'
import { isBelow, parentOf } from './dn.ts'
import { askPatiently } from './patient.ts'
import { queryUrl } from './query.ts'
import { isWhole } from './snapshot.ts'

/** Pushes of the children may follow, and messages of this kind come in rushes. */
const WAIT_MS = 1000
/** Parents asked about in one go; what is beyond them is found by the next reconcile. */
const MOST_PARENTS = 50

export class NonPresent {
  /** Parents, and the feed that was told. */
  readonly #noted = new Map<string, Watched>()
  #waiting: Cancel | undefined

  /** A push of `dn` said so. */
  note(core: Core, feed: Watched, dn: string): void {
    if (this.#noted.size < MOST_PARENTS) this.#noted.set(dn, feed)
    if (this.#waiting !== undefined) return
    const stop = (): void => {
      this.#waiting?.()
      this.#waiting = undefined
    }
    core.signal.addEventListener('abort', stop, { once: true })
    this.#waiting = core.clock.after(WAIT_MS, () => {
      core.signal.removeEventListener('abort', stop)
      this.#waiting = undefined
      const noted = [...this.#noted]
      this.#noted.clear()
      void this.#look(core, new Map(noted))
    })
  }

  async #look(core: Core, parents: ReadonlyMap<string, Watched>): Promise<void> {
    const suspects = new Set<string>()
    for (const { key } of core.mirror.values()) if (parents.has(parentOf(key))) suspects.add(parentOf(key))
    for (const dn of suspects) {
      try {
        await this.#ask(core, parents.get(dn), dn)
      } catch (error) {
        // A reconcile finds what this could not.
        if (isSessionError(error)) core.fail(error)
      }
    }
  }

  async #ask(core: Core, feed: Watched | undefined, dn: string): Promise<void> {
    if (feed === undefined) return
    const { mirror, clock, config, signal } = core
    const askedAt = clock.now()
    const url = queryUrl({ path: `/api/mo/${dn}`, options: [['query-target', 'children']] }, config.format)
    const answer = await askPatiently(core, url, 'query', signal)
    if (!isWhole(answer)) return
    const shown = new Set(answer.objects.map(({ attributes }) => attributes['dn']))
    const objects = [...mirror.values()].filter(({ key }) => isBelow(key, dn))
    const gone = objects.filter(({ key }) => parentOf(key) === dn && !shown.has(key)).map(({ key }) => key)
    for (const { key, family } of objects) {
      if (!gone.some(one => key === one || isBelow(key, one)) || mirror.changedSince(key, askedAt)) continue
      const watchers = core.watchers().filter(one => one.query.covers(family, key))
      if (watchers.some(one => one.holdsBack(key) !== undefined)) continue
      const change = { cls: family, dn: key, attributes: { dn: key }, status: 'deleted' } as const
      applyChange(core, feed, change, { origin: 'resync', publish: true, watchers, missing: true })
    }
  }
}

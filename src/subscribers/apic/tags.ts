/** The subscriptions by tag of one session: one watch of all tags, and for each tag what carries it. */
import type { Core } from './core.ts'
import type { Dispatch, Feed } from './feed.ts'
import { type FeedPlan, isByTag } from './feeds.ts'
import { TagFeed } from './tag-feed.ts'
import { TagWatch } from './tag-watch.ts'

export class Tags {
  readonly name = 'tags'
  readonly feeds: readonly TagFeed[]
  readonly #core: Core
  readonly #watch: TagWatch

  /** `all`: the session's subscriptions, to which those of what carries a tag are added. */
  constructor(core: Core, dispatch: Dispatch, plans: readonly FeedPlan[], all: Feed[]) {
    this.#core = core
    this.feeds = plans.filter(isByTag).map(plan => new TagFeed(core, dispatch, plan, all))
    this.#watch = new TagWatch(core, dispatch, {
      made: async signal => {
        await Promise.all(this.feeds.map(feed => feed.hears(signal)))
      },
      heard: (tagDn, there) => {
        for (const feed of this.feeds) feed.heard(tagDn, there)
      },
      lost: error => {
        for (const feed of this.feeds) feed.lost(error)
      },
    })
  }

  /** True when it is known of each tag what carries it. */
  get isFound(): boolean {
    return this.feeds.every(feed => feed.isFound)
  }

  /** Runs until the session is over; at once without a tag in the config. Never rejects. */
  async run(): Promise<void> {
    if (this.feeds.length > 0) await this.#watch.run()
  }

  /** Asks again what carries each tag; what no push told shows that the watch is deaf. Throws as `TagFeed.resolve`. */
  async reconcile(): Promise<void> {
    let isDeaf = false
    for (const feed of this.feeds) {
      if (!(await feed.resolve(this.#core.signal))) isDeaf = true
      if (!this.#core.cutOff()) feed.prove()
    }
    if (isDeaf) this.#watch.remake('objects have got or lost a tag, and no push told of it')
  }
}

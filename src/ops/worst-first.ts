/** Of many feeds, the ones that need a person come first: one order for the terminal and the page. */
import type { FeedStatus } from './status.ts'

export interface Ranked {
  readonly feed: FeedStatus
  /** 0: unwell; 1: not live yet; 2: live. */
  readonly rank: 0 | 1 | 2
}

export function worstFirst(feeds: readonly FeedStatus[]): Ranked[] {
  return feeds.map(feed => ({ feed, rank: rankOf(feed) })).sort((a, b) => a.rank - b.rank)
}

function rankOf(feed: FeedStatus): Ranked['rank'] {
  if (feed.deaf || feed.state === 'lost' || feed.state === 'disabled') return 0
  return feed.state === 'live' ? 2 : 1
}

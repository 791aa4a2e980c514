/** What a test can turn on a running controller. Each default is the reading that the reference calls likeliest. */

export interface Knobs {
  /** false: pings of the client go unanswered. */
  answerPings: boolean
  /** HTTP status that refuses every new socket. */
  refuseSockets: number | undefined
  /** true: `subscriptionId` of a frame is a plain string, one frame for each id. */
  plainIds: boolean
  /** Neighbouring changes for the same subscriptions go into one frame, up to this many. */
  objectsPerFrame: number
  /** Children created together with their parent come nested in its object, with `rn` and without `dn`. */
  nestChildren: boolean
  /** Subscriptions live on, until their own time-out, when their socket is lost; a new socket then feeds them. */
  subscriptionsOutliveSocket: boolean
  /** What becomes of the socket when its session ends: closed, or left open and never used again. */
  socketAtSessionEnd: 'close' | 'silent'
  /** Logout answers well, but the session lives until its time-out. */
  logoutLingers: boolean
  /** Every call puts the end of the session off, not only aaaRefresh. */
  requestsExtend: boolean
  /** How long the token before the newest stays good after a refresh, at most until its own expiry. */
  oldTokenSeconds: number
  /** `refresh-timeout=N` gives a life of N times this many seconds. */
  refreshTimeoutScale: number
  /** How this release takes `refresh-timeout`. */
  refreshTimeoutSupport: 'yes' | 'ignored' | 'refused'
  /** What a property filter does to deletions. */
  filteredDeletes: 'lost' | 'sent'
  /** Unsorted answers start at another object each time, so that pages shift. */
  unstableOrder: boolean
  /** Answers as releases of the guide's time gave them: no totalCount in those of login and refreshes. */
  oldAnswers: boolean
  /** A POST answers with the object's whole structure, as the guide says, or with an empty `imdata`. */
  postAnswers: 'guide' | 'empty'
  /** Runs after a subscription exists and before its call is answered: frames sent here come first. */
  onSubscribed: ((id: string, path: string) => void | Promise<void>) | undefined
}

export function defaultKnobs(): Knobs {
  return {
    answerPings: true,
    refuseSockets: undefined,
    plainIds: false,
    objectsPerFrame: 1,
    nestChildren: false,
    subscriptionsOutliveSocket: false,
    socketAtSessionEnd: 'close',
    logoutLingers: false,
    requestsExtend: false,
    oldTokenSeconds: 30,
    refreshTimeoutScale: 1,
    refreshTimeoutSupport: 'yes',
    filteredDeletes: 'lost',
    unstableOrder: false,
    oldAnswers: false,
    postAnswers: 'guide',
    onSubscribed: undefined,
  }
}

/**
 * What a test can turn on a running controller. Each default is the reading that reference/apic.md calls likeliest; every
 * knob says which real behaviour it stands for and how sure that is, with the letters of that page: A seen by several,
 * B by one good source, C weak, D sources disagree, ? not found anywhere.
 */
import type { Operation } from './record.ts'

export interface Knobs {
  // Load.

  /**
   * Every answer, and every handshake of a socket, takes this long, ms: half before the call is carried out, half after
   * it, so that the pushes of a new subscription may overtake its answer. What is usual is not documented (?).
   */
  latencyMs: number
  /**
   * The same for single operations, instead of `latencyMs`: refreshes that take seconds, subscribe calls so slow that the
   * first subscription of a round is over before the last exists (b10; A).
   */
  latencyOf: Partial<Record<Operation, number>>
  /** Requests in service at once beyond which nginx turns more away with a page (b11: bursts overload it; A, number ?). */
  maxParallel: number
  /** commHttps.globalThrottleRate: requests let through in any second, all callers together (a10; B). Off by default. */
  requestsPerSecond: number
  /** What those too many get, always as a page. 503 is what is seen (A); 429 is what the word throttle promises (C). */
  throttleStatus: 503 | 429
  /** A Retry-After on the pages of throttle and overload. No capture has one (a10; ?). */
  retryAfterSeconds: number | undefined

  /**
   * Bytes of a request line beyond which nginx answers 414 with a page. 8 kB is its default, 4 kB is met as well (a9; B).
   */
  longestLine: number

  // Sessions.

  /** Logout answers well, but the session lives until its time-out, so that restarts pile sessions up (a4; B). */
  logoutLingers: boolean
  /** Every call puts the end of the session off, not only aaaRefresh (a4; D). */
  requestsExtend: boolean
  /** How long the token before the newest stays good after a refresh, at most until its own expiry (a4; C). */
  oldTokenSeconds: number
  /** HTTP status of "Token was invalid"; its body says 403 in any case. 403 (A), 401 in one client's data (a4; C). */
  tokenErrorStatus: 403 | 401
  /** Answers as releases of the guide's time gave them: no totalCount in those of login and refreshes (a2, a7; A). */
  oldAnswers: boolean

  // Sockets.

  /** false: pings of the client go unanswered (a6: whether an APIC answers is ?). */
  answerPings: boolean
  /** HTTP status that refuses every new socket. */
  refuseSockets: number | undefined
  /** The handshake of a session with a challenge token must carry it too, as header or parameter (a2; ?). */
  socketsNeedChallenge: boolean
  /**
   * The controller loses a socket this long after it opened: it stays open, answers pings, carries nothing, and
   * subscribing answers 405 (b2: "after days"; A).
   */
  forgetSocketsAfterMs: number | undefined
  /**
   * What becomes of the socket when its session ends, by time-out, hard end or logout: `close`d; `silent`, open and dead
   * to pings too; `quiet`, open, answering pings, and never used again. "The socket closes with the session" is all that
   * is known (a6, e5; D).
   */
  socketAtSessionEnd: 'close' | 'silent' | 'quiet'
  /**
   * true: subscriptions live on until their own time-out when their socket is lost or forgotten: their refreshes are
   * well, and a new socket of the session feeds them. false: closing the socket ends them (a6; B).
   */
  subscriptionsOutliveSocket: boolean

  // Subscriptions.

  /** `refresh-timeout=N` gives a life of N times this many seconds: for scaled tests. */
  refreshTimeoutScale: number
  /** How this release takes `refresh-timeout`: from 3.2(3) or 4.0 on; older ones ignore or refuse it (a7; D). */
  refreshTimeoutSupport: 'yes' | 'ignored' | 'refused'
  /** Share of its life by which a subscription is over too early: CNO saw 190 s of 1800 s (b9; B). */
  earlyExpiryShare: number
  /**
   * Whether `/api/tag/NAME?subscription=yes` is refused, or taken: then it is told of what carries the tag, and of the tags
   * themselves. No client is known that does it (a9; ?).
   */
  tagSubscriptions: 'refused' | 'taken'
  /**
   * How the refresh of a dead id is refused: with HTTP 400 (A-), with 200 and an error in the body (a10; B), or not at
   * all (`well`: one simulator claims that real ones always answer 200; contradicted, D).
   */
  deadRefresh: 'status' | 'body' | 'well'
  /** What a property filter does to deletions (b13; A- for lost, D). */
  filteredDeletes: 'lost' | 'sent'
  /**
   * A subscription to a DN that is younger than this, ms, is told nothing from below it until it is so old: about 5 s on
   * a real one (b26; B).
   */
  settleMs: number
  /** Runs after a subscription exists and before its call is answered: frames sent here come first (a7; B). */
  onSubscribed: ((id: string, path: string) => void | Promise<void>) | undefined

  // Frames.

  /** true: `subscriptionId` of a frame is a plain string, one frame for each id (a7: CNO decodes both; A). */
  plainIds: boolean
  /** Neighbouring changes for the same subscriptions go into one frame, up to this many (a8; A). */
  objectsPerFrame: number
  /** Children created together with their parent come nested in its object, with `rn` and without `dn` (a8; B). */
  nestChildren: boolean
  /** Frames leave this much later than the change, ms: an answer may then know of what is pushed after it (e; C). */
  pushDelayMs: number
  /** Order of the objects of one transaction: objects come from several shards, so only that of one DN is sure (a8; C). */
  acrossDns: 'ordered' | 'mixed'

  // Queries.

  /** Unsorted answers start at another object each time, so that pages shift (b18; A). */
  unstableOrder: boolean
  /**
   * What the ceiling (`maxResults`) counts: the objects of one answer, so that paging helps (EPT; B), all that match
   * whatever the page (`matches`), or that for log classes only (`log-matches`: SPL cuts its windows above 99 000; B).
   */
  ceilingCounts: 'answer' | 'matches' | 'log-matches'
  /** HTTP status of "result dataset is too big": 400 (A), 503 in the newer guide (a10; D). The body is JSON either way. */
  ceilingStatus: 400 | 503
  /** Log records show up in the answers of this controller this much later than elsewhere: shards differ (b2; B). */
  recordLagMs: number
  /** Ms that this controller's clock is ahead of the fabric's: topInfo, and clusterTimeDiff of its topSystem (b2; B). */
  clockAheadMs: number
  /** A POST answers with the object's whole structure, as the guide says, or with an empty `imdata`. */
  postAnswers: 'guide' | 'empty'
}

export function defaultKnobs(): Knobs {
  return {
    latencyMs: 0,
    latencyOf: {},
    maxParallel: Number.POSITIVE_INFINITY,
    requestsPerSecond: Number.POSITIVE_INFINITY,
    throttleStatus: 503,
    retryAfterSeconds: undefined,
    longestLine: 8192,
    logoutLingers: false,
    requestsExtend: false,
    oldTokenSeconds: 30,
    tokenErrorStatus: 403,
    oldAnswers: false,
    answerPings: true,
    refuseSockets: undefined,
    socketsNeedChallenge: false,
    forgetSocketsAfterMs: undefined,
    socketAtSessionEnd: 'close',
    subscriptionsOutliveSocket: false,
    refreshTimeoutScale: 1,
    refreshTimeoutSupport: 'yes',
    earlyExpiryShare: 0,
    tagSubscriptions: 'refused',
    deadRefresh: 'status',
    filteredDeletes: 'lost',
    settleMs: 0,
    onSubscribed: undefined,
    plainIds: false,
    objectsPerFrame: 1,
    nestChildren: false,
    pushDelayMs: 0,
    acrossDns: 'ordered',
    unstableOrder: false,
    ceilingCounts: 'answer',
    ceilingStatus: 400,
    recordLagMs: 0,
    clockAheadMs: 0,
    postAnswers: 'guide',
  }
}

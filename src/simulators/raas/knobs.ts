/** What can be turned on the RaaS stand-in, while it runs. The defaults are an ordinary 8.18 server. */

/** One request as a fault function sees it. `method` is `resource.method` for calls to the RPC path. */
export interface RaasCall {
  readonly path: string
  readonly method: string | undefined
  readonly kwarg: Readonly<Record<string, unknown>>
  /** Counts every request to this server, from 1. */
  readonly number: number
}

export type RaasFault =
  | { readonly kind: 'status'; readonly status: number; readonly html?: boolean; readonly retryAfter?: number }
  /** The connection breaks without an answer. */
  | { readonly kind: 'reset' }
  /** No answer ever comes. */
  | { readonly kind: 'hang' }
  /** HTTP 200 with an `error` body. */
  | { readonly kind: 'rpc'; readonly code: number; readonly message: string; readonly detail?: unknown }

export interface RaasUser {
  readonly username: string
  readonly password: string
  /** Authentication backend; default `internal`. */
  readonly configName?: string
  /** `resource.method` names this user may call; default all. */
  readonly methods?: readonly string[]
  /** Minions whose rows this user is shown; default all. */
  readonly sees?: (minion: string) => boolean
}

export interface RaasKnobs {
  /** XSRF is a server option (on with the usual install). */
  xsrf: boolean
  /** A new token comes with every n-th RPC answer and the old one is refused from then on; 0 never. */
  xsrfRotateEvery: number
  /** Where the server shows its token. The SaaS recipe reads the header only. */
  xsrfVia: 'both' | 'header' | 'cookie'
  /** Servers before 8.3 only say it in the reason phrase. */
  xsrfMissingHeader: boolean
  /** Some deployments live under a prefix only. */
  path: '' | '/raas'
  /** Authorization schemes that the RPC path takes. */
  schemes: readonly string[]
  jwtLifetimeMs: number
  /** The token is not three parts that can be read. */
  jwtOpaque: boolean
  /** An expired or unknown token is answered with 401, or with 200 and the login page. */
  expired: '401' | 'html'
  cspLifetimeMs: number
  /** API tokens that the CSP endpoint knows. */
  cspTokens: Set<string>
  /** Bearer tokens from elsewhere (VCF SSO) that are good now. */
  bearers: Set<string>
  /** Pages never hold more rows than this, whatever was asked. */
  pageCap: number | undefined
  /** How far off the `count` of a listing is: counted in a statement of its own, or with rows that may not be shown. */
  countOff: () => number
  /** The count of a listing counts what the account is not shown as well. */
  countsHidden: boolean
  /** What api.get_versions says. */
  version: string
  /** How far off the clock of each node behind the address is, ms; they answer by turns. */
  nodes: readonly number[]
  /** So many more columns, unknown to anybody, in each row of a return. */
  extraColumns: number
  /** Older servers don't know `sort_by=alter_time` of ret.get_returns. */
  sortByAlterTime: boolean
  /** `resource.method` names that this deployment does not expose. */
  hidden: Set<string>
  /** How long after its alter_time the n-th push becomes visible (a slow commit). */
  commitDelayMs: (push: number) => number
  /** How far off the clock of the node that wrote the n-th push is. */
  writerSkewMs: (push: number) => number
  /** What a second return of the same jid and minion does. */
  secondReturn: 'overwrite' | 'add'
  /** What stands behind alter_time: nothing, as today, or a zone. */
  zone: '' | 'Z' | '+00:00'
  /** What stands between its date and its time. */
  stampSeparator: 'T' | ' '
  /** Masters fetch work after this long: a run is `new` until then. */
  retrieveAfterMs: number
  /** A run that still lacks returns then is `completed_missing_returns`. */
  missingAfterMs: number
  fault: ((call: RaasCall) => RaasFault | undefined) | undefined
  /** Called when an answer has been made and before it is sent: rows can change under a walk here. */
  between: ((call: RaasCall) => void) | undefined
}

export function defaultKnobs(): RaasKnobs {
  return {
    xsrf: true,
    xsrfRotateEvery: 0,
    xsrfVia: 'both',
    xsrfMissingHeader: true,
    path: '',
    schemes: ['JWT', 'Bearer', 'Basic'],
    jwtLifetimeMs: 1_800_000,
    jwtOpaque: false,
    expired: '401',
    cspLifetimeMs: 1_799_000,
    cspTokens: new Set(),
    bearers: new Set(),
    pageCap: undefined,
    countOff: () => 0,
    countsHidden: false,
    version: '8.18.3',
    nodes: [0],
    extraColumns: 0,
    sortByAlterTime: true,
    hidden: new Set(),
    commitDelayMs: () => 0,
    writerSkewMs: () => 0,
    secondReturn: 'overwrite',
    zone: '',
    stampSeparator: 'T',
    retrieveAfterMs: 10_000,
    missingAfterMs: 60_000,
    fault: undefined,
    between: undefined,
  }
}

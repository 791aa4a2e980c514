/** What the simulated cloud holds: organisations, users, API tokens, machines, and the switches that make it nasty. */

/** An organisation. `System` (the provider) always exists. */
export interface OrgSeed {
  readonly name: string
  readonly id?: string
}

export interface UserSeed {
  readonly name: string
  readonly org: string
  readonly password: string
  /** As the audit trail prints it. Default "Organization Administrator". */
  readonly roles?: string
  /** May see other users' tokens (the guide's "manage all users' API tokens"). Default false. */
  readonly managesAllTokens?: boolean
}

export interface TokenSeed {
  /** The API token itself, what the user copied once. */
  readonly secret: string
  /** Bare UUID: `currentContext.refreshTokenId`, and the last part of the token's URN. */
  readonly id: string
  readonly name: string
  readonly user: string
  readonly org: string
  /** `always`: each use answers with a new token and kills the old one. `once`: the next use does. Default `never`. */
  readonly rotation?: 'never' | 'once' | 'always'
  readonly expiresAtMs?: number
}

export interface VmSeed {
  readonly name: string
  readonly org: string
}

export interface ApiVersion {
  readonly version: string
  readonly deprecated?: boolean
  readonly alpha?: boolean
}

const list = (text: string): ApiVersion[] =>
  text.split(' ').map(entry => ({
    version: entry.replace('[D]', ''),
    deprecated: entry.endsWith('[D]'),
    alpha: entry.includes('alpha'),
  }))

/** What real cells list (10.3.3 and 10.5) or are believed to list (10.6, VCF Automation). */
export const VERSIONS = {
  '10.3': list('37.0.0-alpha 36.3 36.2 36.1 36.0 35.2 35.0 34.0 33.0[D] 32.0[D] 31.0[D]'),
  '10.5': list('38.0 37.2 37.1 37.0 36.3[D] 36.2[D] 36.1[D] 36.0[D] 35.2[D] 35.0[D]'),
  '10.6': list('40.0.0-alpha 39.1 39.0 38.1 38.0 37.2 37.1 37.0[D] 36.3[D] 36.2[D] 36.1[D] 36.0[D]'),
  'vcf-9.0': list('9.0.0 40.0[D] 39.1[D]'),
  'vcf-9.1': list('9.1.0 9.0.0 40.0[D]'),
} as const

/** A trouble for one request, chosen by `knobs.fail`. */
export type Fault =
  /** The cell's own error form (JSON under /cloudapi, XML under /api). */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterS?: number }
  /** A balancer's page in place of the answer, also with status 200. */
  | { readonly kind: 'html'; readonly status: number }
  /** The connection breaks before anything is done. */
  | { readonly kind: 'reset' }
  /** Everything is done, then the connection breaks: the answer is lost. */
  | { readonly kind: 'lost' }
  /** No answer, ever. */
  | { readonly kind: 'hang' }

export interface Cell {
  readonly id: string
  /** How far this cell's clock is ahead (or, below zero, behind). */
  readonly skewMs: number
  /** What this cell speaks when it is not what all speak: cells are upgraded one after the other. */
  readonly versions?: readonly ApiVersion[]
}

/** Everything that can be turned while the simulator runs. */
export interface VcdKnobs {
  versions: readonly ApiVersion[]
  idleTimeoutMs: number
  absoluteTimeoutMs: number
  /** `expires_in` of the token answer, and the JWT's `exp`. */
  expiresInS: number
  /** What stands before `/oauth` on the token endpoint: clients of VCF Automation try `/tm` after a 404 (vcd.md a2). */
  tokenPrefix: '' | '/tm'
  /** HTTP status of a refused API token (the real one is not known; RFC 6749 says 400). */
  refusedStatus: number
  /** Logins with an API token write session/login and session/authorize (the sample of the reference shows so). */
  tokenLoginEvents: boolean
  /** So many wrong passwords in a row lock a user out. */
  lockoutAfter: number
  maxPageSize: number
  /** Each endpoint has a ceiling of its own. */
  maxTokensPageSize: number
  /** Rows older than this are purged. */
  retentionMs: number
  /** How long after its stamp the next row becomes visible (a long transaction, another cell). */
  latenessMs: () => number
  /** The balancer gives each its turn with requests; which of them writes a row is chance. */
  cells: readonly Cell[]
  /** Rows of equal stamp change places from request to request. */
  shuffleTies: boolean
  /** The database keeps microseconds, the wire shows milliseconds. */
  subMillisecond: boolean
  /** A role that sees less answers 200 with fewer rows. */
  hide:
    | ((row: {
        readonly type: string
        readonly user: string
        readonly tokenId: string | null
        readonly timestampMs: number
      }) => boolean)
    | undefined
  /** Pages without `resultTotal` and `pageCount`, as some cloudapi endpoints answer (vcd.md a3). */
  omitTotal: boolean
  /** `resultTotal` stops here: a ceiling of 10,000 rows is rumoured (vcd.md a3). */
  countCeiling: number
  /** The `Date` header of an answer given at that time; undefined: none. */
  dateHeader: (wallMs: number) => string | undefined
  fail: ((request: { readonly method: string; readonly path: string }) => Fault | undefined) | undefined
  /** The address that the cell believes it has: in Link headers and hrefs, not where it listens. */
  publicUrl: string
}

export interface Org {
  readonly name: string
  readonly id: string
}

export interface User {
  readonly name: string
  readonly id: string
  readonly org: Org
  readonly password: string
  readonly roles: string
  readonly managesAllTokens: boolean
  enabled: boolean
  /** Wrong passwords in a row: locked out at the knob's number. */
  failures: number
}

export interface ApiToken {
  secret: string
  readonly id: string
  readonly name: string
  readonly user: User
  rotation: 'never' | 'once' | 'always'
  readonly expiresAtMs: number | null
}

export interface Vm {
  readonly id: string
  readonly name: string
  readonly org: Org
  status: 'POWERED_ON' | 'POWERED_OFF' | 'SUSPENDED'
}

export interface WorldSeed {
  readonly orgs: readonly OrgSeed[]
  readonly users: readonly UserSeed[]
  readonly tokens: readonly TokenSeed[]
  /** Default: two machines in each organisation but System. */
  readonly vms?: readonly VmSeed[]
}

/** A small seeded generator (mulberry32): the same run twice is the same run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Organisations, users, tokens and machines by name and id. */
export class World {
  readonly random: () => number
  readonly orgs: Org[] = []
  readonly users: User[] = []
  readonly tokens: ApiToken[] = []
  readonly vms: Vm[] = []
  readonly roles: { readonly id: string; name: string; readonly org: Org }[] = []

  /** Throws when a user or token names something that isn't there. */
  constructor(seed: WorldSeed, random: () => number) {
    this.random = random
    if (!seed.orgs.some(org => org.name === 'System')) this.orgs.push({ name: 'System', id: this.uuid() })
    for (const org of seed.orgs) this.addOrg(org)
    for (const user of seed.users) this.addUser(user)
    for (const token of seed.tokens) this.addToken(token)
    const tenants = this.orgs.filter(org => org.name !== 'System')
    const vms = seed.vms ?? tenants.flatMap(org => ['web-1', 'db-1'].map(name => ({ name, org: org.name })))
    for (const vm of vms) this.addVm(vm.name, this.org(vm.org))
    for (const org of this.orgs) this.roles.push({ id: this.uuid(), name: 'vApp Author', org })
  }

  /** Throws for an unknown name. */
  org(name: string): Org {
    const org = this.orgs.find(one => one.name === name)
    if (org === undefined) throw new Error(`no organisation ${name}`)
    return org
  }

  addOrg(seed: OrgSeed): Org {
    const org = { name: seed.name, id: seed.id ?? this.uuid() }
    this.orgs.push(org)
    return org
  }

  addUser({ name, password, org, managesAllTokens = false, ...seed }: UserSeed): User {
    const roles = seed.roles ?? (org === 'System' ? 'System Administrator' : 'Organization Administrator')
    const id = this.uuid()
    const user = { name, password, roles, managesAllTokens, id, org: this.org(org), enabled: true, failures: 0 }
    this.users.push(user)
    return user
  }

  /** Throws for a user that there isn't. */
  addToken(token: TokenSeed): void {
    const user = this.users.find(one => one.name === token.user && one.org.name === token.org)
    if (user === undefined) throw new Error(`token ${token.name}: no user ${token.user} in ${token.org}`)
    const { secret, id, name, rotation = 'never', expiresAtMs = null } = token
    this.tokens.push({ secret, id, name, user, rotation, expiresAtMs })
  }

  /** The API tokens go with the user. */
  removeUser(user: User): void {
    this.users.splice(this.users.indexOf(user), 1)
    const left = this.tokens.filter(token => token.user !== user)
    this.tokens.splice(0, this.tokens.length, ...left)
  }

  addVm(name: string, org: Org): Vm {
    const vm: Vm = { id: this.uuid(), name, org, status: 'POWERED_OFF' }
    this.vms.push(vm)
    return vm
  }

  uuid(): string {
    let hex = ''
    for (let digit = 0; digit < 32; digit++) hex += Math.floor(this.random() * 16).toString(16)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
  }
}

/** What a controller is made of, put together. */
import { Accounts } from './accounts.ts'
import { Calls } from './calls.ts'
import { Fabric } from './fabric.ts'
import { Front } from './front.ts'
import { defaultKnobs, type Knobs } from './knobs.ts'
import { Mischief } from './mischief.ts'
import { type ApicSimulatorOptions, DEFAULT_DOMAINS, DEFAULT_USER } from './options.ts'
import { Pusher } from './push.ts'
import { ApicRecord } from './record.ts'
import { type Session, Sessions } from './sessions.ts'
import { type SimSocket, Sockets } from './sockets.ts'
import { Subscriptions } from './subscriptions.ts'
import { Standing } from './view.ts'

export interface Parts {
  readonly fabric: Fabric
  readonly knobs: Knobs
  readonly record: ApicRecord
  readonly mischief: Mischief
  readonly standing: Standing
  readonly sessions: Sessions
  readonly sockets: Sockets
  readonly subscriptions: Subscriptions
  readonly pusher: Pusher
  readonly front: Front
  /** Takes it off its fabric. */
  readonly stop: () => void
}

/** What ids of a controller count up from: above 2^56, each controller in a range of its own. */
const SUBSCRIPTION_BASE = 72_057_594_037_927_936n

export function makeParts(options: ApicSimulatorOptions): Parts {
  const { time, users = [DEFAULT_USER], domains = DEFAULT_DOMAINS, nodeId = 1, version } = options
  const { refreshTimeoutSeconds = 600, maximumLifetimeSeconds = 86_400, tokenStyle = 'base64' } = options
  const fabric = options.fabric ?? new Fabric({ time, ...(version === undefined ? {} : { version }) })
  for (const { name, firstName = '', lastName = '' } of users) fabric.addUser(name, { firstName, lastName })
  const knobs: Knobs = { ...defaultKnobs(), ...options.knobs }
  const record = new ApicRecord()
  const standing = new Standing(fabric, knobs, nodeId)
  const mischief = new Mischief()
  const base = SUBSCRIPTION_BASE * BigInt(nodeId)
  const subscriptions = new Subscriptions({ time, knobs, record, base })
  const lose = (socket: SimSocket): void => {
    if (!knobs.subscriptionsOutliveSocket) subscriptions.endAll(one => one.socket === socket, 'socket')
  }
  const sessions = new Sessions({
    time,
    knobs,
    record,
    refreshTimeoutSeconds,
    maximumLifetimeSeconds,
    tokenStyle,
    onEnd: session => ended(session),
  })
  const sockets = new Sockets({
    time,
    knobs,
    record,
    resolve: token => {
      try {
        return sessions.resolve(token)
      } catch {
        return undefined
      }
    },
    refuses: () => standing.refuses,
    onGone: lose,
    onForgotten: lose,
  })
  const ended = (session: Session): void => {
    subscriptions.endAll(subscription => subscription.session === session, 'session')
    if (knobs.socketAtSessionEnd === 'quiet') return
    for (const socket of sockets.open) {
      if (socket.session !== session) continue
      if (knobs.socketAtSessionEnd === 'close') sockets.dismiss(socket)
      else socket.silent = true
    }
  }
  const pusher = new Pusher(fabric, knobs, sockets, subscriptions)
  const accounts = new Accounts({
    time,
    users,
    domains,
    passwords: fabric.passwords,
    lockoutAfter: options.lockoutAfter ?? 5,
    lockoutSeconds: options.lockoutSeconds ?? 3600,
  })
  const calls = new Calls({
    fabric,
    knobs,
    record,
    standing,
    accounts,
    sessions,
    sockets,
    subscriptions,
    domains,
    refreshTimeoutSeconds,
    maximumLifetimeSeconds,
    subscriptionSeconds: options.subscriptionSeconds ?? 60,
    maxResults: options.maxResults ?? 100_000,
    node: `topology/pod-1/node-${nodeId}`,
  })
  const loginsPerSecond = options.loginsPerSecond ?? 2
  const front = new Front({ time, record, calls, sessions, mischief, knobs, standing, loginsPerSecond })
  const stops = [
    fabric.onChange(changes => {
      if (!standing.isMinority) pusher.push(changes)
    }),
    fabric.onDeaf(node => subscriptions.deafen(node)),
  ]
  const stop = (): void => {
    for (const one of stops) one()
  }
  return { fabric, knobs, record, mischief, standing, sessions, sockets, subscriptions, pusher, front, stop }
}

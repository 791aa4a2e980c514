/** What is known of single classes of the object model. Classes that aren't named here are treated alike. */

const LOG_CLASSES: ReadonlySet<string> = new Set([
  'faultRecord',
  'eventRecord',
  'aaaModLR',
  'aaaSessionLR',
  'healthRecord',
])

/** Rings of records: created, never changed, purged when the ring wraps (reference b2). They have a history to ask for. */
export function isLogClass(cls: string): boolean {
  return LOG_CLASSES.has(cls)
}

/** Abstract classes that the reference (a7) and the guide query by name; answers and pushes carry the concrete ones. */
const CONCRETE: ReadonlyMap<string, readonly string[]> = new Map([
  ['faultInfo', ['faultInst', 'faultDelegate']],
  ['fvEPg', ['fvAEPg', 'fvESg', 'l2extInstP', 'l3extInstP', 'mgmtInB', 'vnsEPpInfo']],
])

/** The classes that objects of a query for `cls` carry: itself, or what is known below an abstract one. */
export function concreteClasses(cls: string): readonly string[] {
  return [cls, ...(CONCRETE.get(cls) ?? [])]
}

/** Classes that stand for themselves alone, of those that the reference and the guide name. */
const THEMSELVES: ReadonlySet<string> = new Set([
  ...LOG_CLASSES,
  'aaaDomain',
  'aaaUser',
  'ethpmPhysIf',
  'fabricNode',
  'firmwareIfcFwStatusCont',
  'firmwareIfcRunning',
  'fvAp',
  'fvBD',
  'fvCEp',
  'fvCtx',
  'fvTenant',
  'healthInst',
  'tagInst',
  'topInfo',
  'topSystem',
  ...[...CONCRETE.values()].flat(),
])

/** True when only the controller knows whether other classes stand below this one. */
export function mayBeAbstract(cls: string): boolean {
  return !THEMSELVES.has(cls) && !CONCRETE.has(cls)
}

/** True when a property written as `<named>.x` is one that an object of class `cls` has. */
export function names(named: string, cls: string): boolean {
  return named === cls || (CONCRETE.get(named)?.includes(cls) ?? false)
}

/** Statistics bypass the event manager and are never pushed (reference a7). They are named by their interval. */
export function isStatisticsClass(cls: string): boolean {
  return /(5min|15min|1h|1d|1w|1mo|1qtr|1year)$/.test(cls)
}

/** Properties that speak of the message and not of the object. */
const MESSAGE: ReadonlySet<string> = new Set(['childAction', 'rn', 'status'])

/**
 * Properties that the system keeps for itself: a change of nothing else is no event (reference a8: housekeeping
 * `modified` frames follow a create). They stay in `data.raw`, but not in ids.
 */
const HOUSEKEEPING: ReadonlySet<string> = new Set([
  'instanceId',
  'lcOwn',
  'modTs',
  'monPolDn',
  'pcTag',
  'replTs',
  'uid',
])

/** Properties that differ at each reading. */
const RESTLESS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['topSystem', new Set(['clusterTimeDiff', 'currentTime', 'systemUpTime'])],
  ['topInfo', new Set(['currentTime'])],
  ['healthInst', new Set(['chng', 'prev', 'twScore', 'updTs'])],
])

export function isMessageProperty(name: string): boolean {
  return MESSAGE.has(name)
}

/**
 * A copy without those. Not put together name by name: V8 makes a table of a large object that grows so, and each version
 * that is copied from it would be one too: several times the memory, and twice the time to copy it or to spell it.
 */
export function withoutMessage(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const { childAction: _childAction, rn: _rn, status: _status, ...own } = attributes
  return own
}

export function isHousekeeping(cls: string, name: string): boolean {
  return HOUSEKEEPING.has(name) || (RESTLESS.get(cls)?.has(name) ?? false)
}

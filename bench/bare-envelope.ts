/**
 * The envelopes of the two bare loops. `smallest` is as little as an event can be. `fullSize` has every attribute that the
 * event form demands, filled in the cheapest way, and is as large as the daemon's own event of the same push: the way over
 * the wire and nats-server's part are then the same, and what differs is the daemon's work.
 */
import { hash } from 'node:crypto'

export type Attributes = Readonly<Record<string, string>>
export type Envelope = (cls: string, attributes: Attributes) => { readonly id: string; readonly body: object }

const idOf = (cls: string, { dn, created, lastTransition }: Attributes): string =>
  hash('sha256', JSON.stringify(['fabric-a', cls, dn, created, lastTransition]), 'hex').slice(0, 32)

/** Half as large as the daemon's: the loop that is hardest to keep up with. */
export const smallest: Envelope = (cls, attributes) => {
  const id = idOf(cls, attributes)
  return {
    id,
    body: {
      specversion: '1.0',
      id,
      source: '/apic/fabric-a',
      type: `apic.${cls}`,
      subject: attributes['dn'],
      time: attributes['created'] ?? attributes['lastTransition'],
      datacontenttype: 'application/json',
      data: { raw: { [cls]: { attributes } } },
    },
  }
}

/** Bytes that the daemon's event has more, for what it makes of the object: by class, as the benchmark pushes it. */
const FILL: Readonly<Record<string, number>> = { eventRecord: 841, faultInst: 545 }
const filler = new Map(Object.entries(FILL).map(([cls, bytes]) => [cls, [' '.repeat(bytes)]]))

/**
 * Valid by the event schema, and nothing of it thought about: no kind, no words for a person, no change taken apart; a
 * filler of blanks makes up for that. `known` is what a loop over objects with a state must have: the last version of
 * each, so that `raw` is whole.
 */
export function fullSize(now: () => number, known: Map<string, Attributes>): Envelope {
  return (cls, attributes) => {
    const id = idOf(cls, attributes)
    const dn = attributes['dn'] ?? ''
    let object = attributes
    if (attributes['status'] === 'modified') {
      object = { ...known.get(dn), ...attributes }
      known.set(dn, object)
    }
    const { affected = dn, descr = '' } = object
    return {
      id,
      body: {
        specversion: '1.0',
        id,
        source: '/apic/fabric-a',
        type: `apic.${cls}.recorded`,
        subject: dn,
        time: object['lastTransition'] ?? object['created'],
        recordedtime: new Date(now()).toISOString(),
        datacontenttype: 'application/json',
        partitionkey: affected,
        severitytext: 'info',
        severitynumber: 9,
        origin: 'live',
        data: {
          kind: 'event',
          summary: descr === '' ? cls : descr,
          state: null,
          outcome: null,
          alertKey: null,
          resource: { kind: 'object', id: affected },
          flags: filler.get(cls) ?? [],
          raw: { [cls]: { attributes: object } },
        },
      },
    }
  }
}

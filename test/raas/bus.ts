/** What masters and people do to the stand-in, without the HTTP around it. */
import type { RaasSimulator } from '../../src/simulators/raas/server.ts'

export const ROOT = { username: 'svc-opswire', password: 'pa55-word' }

/** A return as a master's plugin sends it. */
export function ret(jid: string, minion: string, body: unknown, extra: Readonly<Record<string, unknown>> = {}) {
  return {
    tag: `salt/job/${jid}/ret/${minion}`,
    data: { id: minion, jid, fun: 'test.ping', fun_args: [], return: body, retcode: 0, success: true, ...extra },
  }
}

/** Creates a run in the stand-in's tables as cmd.route_cmd would, told to these minions. */
export function routeIn({ tables }: RaasSimulator, minions: readonly string[], fun = 'test.ping'): string {
  const { jid, us } = tables.newJid()
  tables.addRun({
    jid,
    startMs: us / 1000,
    targets: new Map(minions.map(minion => [minion, 'master1'])),
    state: 'new',
    retrieved: false,
    row: {
      ...{ jid, cmd: 'local', fun, is_highstate: false, duration: null, job_uuid: null, job_name: null },
      start_time: `${new Date(us / 1000).toISOString().slice(0, -1)}${String(us % 1000).padStart(3, '0')}Z`,
      ...{ origination: 'Ad-Hoc', tgt_uuid: null, tgt_name: null, masters_to: ['master1'], user: 'alice' },
    },
  })
  return jid
}

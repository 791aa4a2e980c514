/** A believable life for the RaaS stand-in, lived only through its own API: what people and masters do all day. */
import type { Time } from '../server.ts'
import { RaasApi, type RaasCredentials } from './api.ts'

interface Script {
  readonly fun: string
  readonly arg: readonly unknown[]
  readonly target: 'web' | 'db' | 'all'
  readonly job?: 'patch' | 'disk'
  /** What each minion answers; undefined: it never does. */
  answer(minion: string, round: number): Return | undefined
  /** Minions that answer long after the others. */
  readonly late?: readonly string[]
}

interface Return {
  readonly return: unknown
  readonly retcode: number
  readonly success: boolean
}

const MASTER = 'master1'
const GROUPS = {
  web: ['web01', 'web02', 'web03'],
  db: ['db01', 'db02'],
  all: ['web01', 'web02', 'web03', 'db01', 'db02', 'app01'],
}
/** Between one beat of the story and the next. */
const BEAT_MS = 1000

const good = (value: unknown): Return => ({ return: value, retcode: 0, success: true })

function states(minion: string, round: number, broken: boolean): Return {
  const result = {
    'pkg_|-nginx_|-nginx_|-installed': {
      result: true,
      comment: 'All specified packages are already installed',
      changes: {},
      name: 'nginx',
      duration: 412.7,
      start_time: '08:17:02.113241',
      __run_num__: 0,
      __sls__: 'web',
      __id__: 'nginx',
    },
    'file_|-nginx_conf_|-/etc/nginx/nginx.conf_|-managed': {
      result: !broken,
      comment: broken ? 'Source file salt://web/nginx.conf not found' : 'File updated',
      changes: broken ? {} : { diff: `-worker_processes ${round};\n+worker_processes ${round + 1};` },
      name: '/etc/nginx/nginx.conf',
      duration: 31.2,
      start_time: '08:17:02.525941',
      __run_num__: 1,
      __sls__: 'web',
      __id__: `nginx_conf on ${minion}`,
    },
  }
  // A state run with failed states says success and retcode 2, as Salt does.
  return { return: result, retcode: broken ? 2 : 0, success: true }
}

const SCRIPTS: readonly Script[] = [
  { fun: 'test.ping', arg: [], target: 'all', answer: () => good(true) },
  {
    fun: 'state.apply',
    arg: ['web'],
    target: 'web',
    job: 'patch',
    answer: (minion, round) => states(minion, round, minion === 'web02'),
    late: ['web03'],
  },
  {
    fun: 'cmd.run',
    arg: ['df -h /'],
    target: 'db',
    job: 'disk',
    answer: (minion, round) =>
      minion === 'db02' && round % 8 === 2
        ? { return: 'df: /: No such file or directory', retcode: 1, success: true }
        : good(`Filesystem Size Used\n/dev/sda1 40G ${10 + round}G`),
  },
  {
    fun: 'disk.usage',
    arg: [],
    target: 'all',
    // app01 has been switched off for good and nobody told Salt.
    answer: (minion, round) => (minion === 'app01' ? undefined : good({ '/': { capacity: `${20 + (round % 60)}%` } })),
  },
]

/**
 * Lives until the signal aborts: logs in, defines jobs, changes one, runs them; minions answer well, badly, late or
 * never. In the first 15 s there is at least one definition, a started, an updated and a completed run, a good and a
 * failed return. Use it with knobs `retrieveAfterMs` and `missingAfterMs` of a few seconds. Resolves at the abort;
 * rejects when the server refuses something.
 */
export async function runRaasLife(
  url: string,
  caPem: string,
  credentials: RaasCredentials,
  time: Time,
  signal: AbortSignal,
): Promise<void> {
  try {
    await live(new RaasApi(url, caPem, credentials, signal), time, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function pause(time: Time, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      cancel()
      reject(signal.reason)
    }
    const cancel = time.after(ms, () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

async function live(api: RaasApi, time: Time, signal: AbortSignal): Promise<void> {
  await api.login()
  const targets: Record<string, unknown> = {}
  for (const [name, minions] of Object.entries(GROUPS)) {
    const tgt = { [MASTER]: { tgt: minions, tgt_type: 'list' } }
    targets[name] = await api.call('tgt', 'save_target_group', { name, tgt })
  }
  // The first second belongs to whoever wants to look at an empty house first.
  await pause(time, BEAT_MS * 2, signal)
  const jobs = {
    patch: await api.call('job', 'save_job', {
      ...{ name: 'Patch web tier', desc: 'Brings the web servers up to date', cmd: 'local' },
      ...{ fun: 'state.apply', arg: { arg: ['web'], kwarg: {} }, tgt_uuid: targets['web'] },
    }),
    disk: await api.call('job', 'save_job', {
      ...{ name: 'Check disk usage', desc: 'Checks disk usage on database servers', cmd: 'local' },
      ...{ fun: 'cmd.run', arg: { arg: ['df -h /'], kwarg: {} }, tgt_uuid: targets['db'] },
    }),
  }
  const pending: { atBeat: number; jid: string; script: Script; minion: string; answer: Return }[] = []
  for (let beat = 0; ; beat++) {
    if (beat % 3 === 0) {
      const round = Math.floor(beat / 3)
      const script = SCRIPTS[round % SCRIPTS.length] as Script
      const job = script.job === undefined ? undefined : jobs[script.job]
      const jid = String(
        await api.call('cmd', 'route_cmd', {
          ...(job === undefined ? { cmd: 'local', fun: script.fun, arg: { arg: script.arg } } : { job_uuid: job }),
          tgt_uuid: targets[script.target],
        }),
      )
      GROUPS[script.target].forEach((minion, index) => {
        const answer = script.answer(minion, round)
        if (answer === undefined) return
        const wait = script.late?.includes(minion) === true ? 14 : 2 + (index % 3)
        pending.push({ atBeat: beat + wait, jid, script, minion, answer })
      })
      await api.call('cmd', 'track_state', { jid, master: MASTER, state: 'retrieved', minions: GROUPS[script.target] })
    }
    if (beat % 20 === 19) {
      await api.call('job', 'save_job', {
        ...{ job_uuid: jobs.disk, name: 'Check disk usage', cmd: 'local', fun: 'cmd.run', tgt_uuid: targets['db'] },
        ...{ desc: `Checks disk usage, revision ${Math.floor(beat / 20) + 2}`, arg: { arg: ['df -h /'], kwarg: {} } },
      })
    }
    const due = pending.filter(one => one.atBeat <= beat)
    if (due.length > 0) {
      const events = due.map(({ jid, script, minion, answer }) => ({
        tag: `salt/job/${jid}/ret/${minion}`,
        data: { id: minion, jid, fun: script.fun, fun_args: script.arg, ...answer },
      }))
      await api.call('ret', 'save_event', { master_id: MASTER, events })
      for (const one of due) pending.splice(pending.indexOf(one), 1)
    }
    await pause(time, BEAT_MS, signal)
  }
}

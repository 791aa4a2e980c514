/** What the figures were taken on. */
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'

export interface Machine {
  readonly cpus: number
  readonly model: string
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly natsServer: string
  /** One-minute load average before and after: other work takes its share of every figure. */
  readonly loadBefore: number
  readonly loadAfter: number
}

/** One-minute load average. */
export const load = (): number => Math.round((loadavg()[0] ?? 0) * 10) / 10

/** This machine, now; `loadBefore` was taken when the run began. */
export function machine(natsServer: string, loadBefore: number): Machine {
  return {
    cpus: cpus().length,
    model: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${platform()} ${arch()} ${release().split('-')[0]}`,
    node: process.versions.node,
    natsServer,
    loadBefore,
    loadAfter: load(),
  }
}

/** One line: the day, the machine, how busy it was. */
export function machineLine(date: string, on: Machine): string {
  return `${date}: ${on.cpus} × ${on.model}, ${on.memoryGiB} GiB, ${on.system}, Node ${on.node}, nats-server ${on.natsServer}, load ${on.loadBefore} → ${on.loadAfter}`
}

/** Today, as the tables date themselves. */
export const today = (): string => new Date().toISOString().slice(0, 10)

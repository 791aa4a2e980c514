/** From taken down to acknowledged: the store, the disk, NATS, and the process itself. */
import { bars, dashboard, rising, stat, timeseries, verdict } from './panels.ts'

const S = 'source=~"$source"'

const quantile = (q: number, metric: string): string =>
  `histogram_quantile(${q}, sum by (le) (rate(${metric}_bucket[$__rate_interval])))`

export const PIPELINE = dashboard({
  uid: 'opswire-pipeline',
  title: 'opswire: pipeline',
  says: 'The way of an event from being taken down until NATS acknowledged it: store, disk, delivery, and the process itself.',
  sourcesOf: 'opswire_source_up',
  lines: [
    {
      height: 5,
      panels: [
        [
          5,
          verdict(
            { title: 'NATS', says: 'Whether events go out.', runbook: 'OpswireSinkDown' },
            { expr: 'opswire_sink_up', legend: 'delivery' },
            ['up', 'down'],
          ),
        ],
        [
          5,
          verdict(
            {
              title: 'Store',
              says: 'Whether it takes events. It refuses when its limit is reached, or the disk fails: then nothing is read on.',
              runbook: 'OpswireStoreRefuses',
            },
            { expr: 'opswire_store_up', legend: 'store' },
            ['takes', 'refuses'],
          ),
        ],
        [
          5,
          stat({
            title: 'Store filled',
            says: 'Of store.max_bytes. Acknowledged events stay for nats.retain_acked, so it is never quite empty.',
            unit: 'percentunit',
            min: 0,
            max: 1,
            steps: rising([0.5, 'yellow'], [0.8, 'red']),
            queries: [{ expr: 'opswire_store_bytes / opswire_store_max_bytes', legend: 'filled' }],
            runbook: 'OpswireStoreNearLimit',
          }),
        ],
        [
          5,
          stat({
            title: 'Oldest that waits',
            says: 'How long ago the oldest event without an acknowledgement was taken down; 0 when none waits.',
            unit: 's',
            steps: rising([60, 'yellow'], [300, 'red']),
            queries: [{ expr: 'max(time() - opswire_store_oldest_timestamp_seconds) or vector(0)', legend: 'age' }],
            runbook: 'OpswireDeliveryBehind',
          }),
        ],
        [
          4,
          stat({
            title: 'Setbacks of NATS',
            says: 'Times, within the time shown, that the stream had lost events which it had acknowledged.',
            unit: 'short',
            steps: rising([1, 'red']),
            queries: [{ expr: 'increase(opswire_sink_setbacks_total[$__range])', legend: 'setbacks' }],
          }),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          8,
          timeseries({
            title: 'Waiting events',
            says: 'In the store, without an acknowledgement.',
            unit: 'short',
            min: 0,
            queries: [{ expr: 'opswire_store_events', legend: 'events' }],
            runbook: 'OpswireStoreGrowing',
          }),
        ],
        [
          8,
          timeseries({
            title: 'Size of the store',
            says: 'Events that wait and those kept for a while after; and the limit.',
            unit: 'bytes',
            min: 0,
            queries: [
              { expr: 'opswire_store_bytes', legend: 'events' },
              { expr: 'opswire_store_max_bytes', legend: 'limit' },
            ],
            runbook: 'OpswireStoreNearLimit',
          }),
        ],
        [
          8,
          timeseries(
            {
              title: 'Answers of NATS',
              says: 'Each second: ok, duplicate (it had the event already), retry, too_large.',
              unit: 'ops',
              min: 0,
              queries: [
                { expr: 'sum by (result) (rate(opswire_published_total[$__rate_interval]))', legend: '{{result}}' },
              ],
            },
            true,
          ),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          8,
          timeseries({
            title: 'Commit',
            says: 'From handing a batch to the store until it was durable, waiting for room included. A slow disk shows here.',
            unit: 's',
            min: 0,
            steps: rising([1, 'orange']),
            queries: [
              { expr: quantile(0.5, 'opswire_commit_seconds'), legend: 'half of them' },
              { expr: quantile(0.99, 'opswire_commit_seconds'), legend: '99 of 100' },
            ],
          }),
        ],
        [
          8,
          timeseries({
            title: 'Delivery',
            says: 'From taking an event down until NATS acknowledged it.',
            unit: 's',
            min: 0,
            steps: rising([300, 'orange']),
            queries: [
              { expr: quantile(0.5, 'opswire_delivery_seconds'), legend: 'half of them' },
              { expr: quantile(0.99, 'opswire_delivery_seconds'), legend: '99 of 100' },
            ],
            runbook: 'OpswireDeliveryBehind',
          }),
        ],
        [
          8,
          timeseries({
            title: 'Event loop',
            says: 'The longest delay of a timer within 30 seconds. Leases are renewed at a third of their life: some seconds are borne.',
            unit: 's',
            min: 0,
            steps: rising([1, 'orange']),
            queries: [{ expr: 'opswire_event_loop_lag_seconds', legend: '{{instance}}' }],
            runbook: 'OpswireEventLoopLag',
          }),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          8,
          timeseries(
            {
              title: 'Requests to the sources',
              says: 'Each second, by result. Throttled: the source, or a proxy before it, wants less of us.',
              unit: 'reqps',
              min: 0,
              queries: [
                {
                  expr: `sum by (result) (rate(opswire_request_seconds_count{${S}}[$__rate_interval]))`,
                  legend: '{{result}}',
                },
              ],
            },
            true,
          ),
        ],
        [
          8,
          bars({
            title: 'How events were found',
            says: 'Within the time shown: live, at the first contact, by closing a hole, or because history was asked for.',
            unit: 'short',
            min: 0,
            queries: [
              { expr: `sum by (origin) (increase(opswire_events_total{${S}}[$__range]))`, legend: '{{origin}}' },
            ],
          }),
        ],
        [
          8,
          bars({
            title: 'Dead letters by source',
            says: 'Within the time shown. They are kept whole; opswire replay --list shows them.',
            unit: 'short',
            min: 0,
            steps: rising([1, 'orange']),
            queries: [
              { expr: `sum by (source) (increase(opswire_dead_letters_total{${S}}[$__range]))`, legend: '{{source}}' },
            ],
            runbook: 'OpswireDeadLetters',
          }),
        ],
      ],
    },
  ],
})

/** Is everything heard, and does everything arrive? The page to begin with. */
import { bars, dashboard, falling, rising, stat, timeseries, verdict } from './panels.ts'

const S = 'source=~"$source"'

export const OVERVIEW = dashboard({
  uid: 'opswire-overview',
  title: 'opswire: overview',
  says: 'Is every source heard, does everything arrive, is anything missing.',
  sourcesOf: 'opswire_source_up',
  lines: [
    {
      height: 5,
      panels: [
        [
          8,
          verdict(
            {
              title: 'Sources',
              says: 'Up: the session is open and every feed proved itself alive within its bound. An open socket alone is no proof.',
              runbook: 'OpswireSourceDeaf',
            },
            { expr: `opswire_source_up{${S}}`, legend: '{{source}}' },
            ['up', 'deaf'],
          ),
        ],
        [
          4,
          verdict(
            {
              title: 'NATS',
              says: 'Whether events go out. While they do not they wait in the store.',
              runbook: 'OpswireSinkDown',
            },
            { expr: 'opswire_sink_up', legend: 'delivery' },
            ['up', 'down'],
          ),
        ],
        [
          4,
          stat({
            title: 'Waiting',
            says: 'Events that NATS has not acknowledged yet. A few at any time; thousands: NATS is slow or away.',
            unit: 'short',
            steps: rising([1000, 'yellow'], [100_000, 'red']),
            queries: [{ expr: 'opswire_store_events', legend: 'events' }],
            runbook: 'OpswireStoreGrowing',
          }),
        ],
        [
          4,
          stat({
            title: 'Gaps',
            says: 'Holes, within the time shown, that could not be closed whole: events of that window may be missing.',
            unit: 'short',
            steps: rising([1, 'orange']),
            queries: [{ expr: `sum(increase(opswire_gaps_total{${S}}[$__range]))`, legend: 'gaps' }],
            runbook: 'OpswireGap',
          }),
        ],
        [
          4,
          stat({
            title: 'Dead letters',
            says: 'Messages, within the time shown, that could not be understood or delivered and were put aside.',
            unit: 'short',
            steps: rising([1, 'orange']),
            queries: [{ expr: `sum(increase(opswire_dead_letters_total{${S}}[$__range]))`, legend: 'letters' }],
            runbook: 'OpswireDeadLetters',
          }),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          12,
          timeseries(
            {
              title: 'Events by source',
              says: 'New facts that were taken down, each second.',
              unit: 'eps',
              min: 0,
              queries: [
                {
                  expr: `sum by (source) (rate(opswire_events_total{${S}}[$__rate_interval]))`,
                  legend: '{{source}}',
                },
              ],
            },
            true,
          ),
        ],
        [
          12,
          timeseries(
            {
              title: 'Events by severity',
              says: 'New facts, each second, of every source that is chosen.',
              unit: 'eps',
              min: 0,
              queries: [
                {
                  expr: `sum by (severity) (rate(opswire_events_total{${S}}[$__rate_interval]))`,
                  legend: '{{severity}}',
                },
              ],
              runbook: 'OpswireFaultStorm',
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
          12,
          timeseries({
            title: 'Since the last proof of life',
            says: 'Of the feed that has been silent longest. Each feed has a bound of its own (docs/LIVENESS.md); past it the source is not up.',
            unit: 's',
            min: 0,
            queries: [{ expr: `time() - opswire_source_last_proof_timestamp_seconds{${S}}`, legend: '{{source}}' }],
            runbook: 'OpswireSourceDeaf',
          }),
        ],
        [
          12,
          timeseries({
            title: 'Time left of leases',
            says: 'Until the tightest lease of a kind lapses. It falls and is renewed at a third of its life; at 0 it has lapsed.',
            unit: 's',
            steps: falling([0, 'orange'], [15, 'green']),
            queries: [{ expr: `opswire_lease_margin_seconds{${S},lease!="lifetime"}`, legend: '{{source}} {{lease}}' }],
            runbook: 'OpswireLeaseMargin',
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
            title: 'Sessions that ended',
            says: 'Or could not be opened, within the last few scrapes of each point. Now and then one is ordinary; the label reason of the metric has the error code.',
            unit: 'short',
            min: 0,
            queries: [
              {
                expr: `sum by (source) (increase(opswire_reconnects_total{${S}}[$__rate_interval]))`,
                legend: '{{source}}',
              },
            ],
            runbook: 'OpswireSourceFlapping',
          }),
        ],
        [
          8,
          bars({
            title: 'Gaps by source',
            says: 'Within the time shown.',
            unit: 'short',
            min: 0,
            steps: rising([1, 'orange'], [10, 'red']),
            queries: [{ expr: `sum by (source) (increase(opswire_gaps_total{${S}}[$__range]))`, legend: '{{source}}' }],
            runbook: 'OpswireGap',
          }),
        ],
        [
          8,
          bars({
            title: 'Certificates and credentials',
            says: 'How long they are still good: certificates as last seen, credentials where their end is known.',
            unit: 's',
            steps: falling([2 * 86_400, 'orange'], [14 * 86_400, 'green']),
            queries: [
              {
                expr: `label_replace(opswire_certificate_expiry_timestamp_seconds{${S}} - time(), "of", "certificate", "", "") or label_replace(opswire_credential_expiry_timestamp_seconds{${S}} - time(), "of", "credential", "", "")`,
                legend: '{{source}} {{of}}',
              },
            ],
            runbook: 'OpswireCertificateExpiry',
          }),
        ],
      ],
    },
    {
      height: 4,
      panels: [
        [
          8,
          verdict(
            {
              title: 'Certificate verified',
              says: 'Not verified: whoever stands in between can read the password and make up events.',
              runbook: 'OpswireTlsUnverified',
            },
            { expr: `opswire_tls_verified{${S}}`, legend: '{{source}}' },
            ['verified', 'NOT verified'],
          ),
        ],
        [
          8,
          verdict(
            {
              title: 'Config',
              says: 'Whether the last reload was taken. Refused: what ran before goes on.',
              runbook: 'OpswireReloadFailed',
            },
            { expr: 'opswire_reload_success', legend: 'reload' },
            ['taken', 'refused'],
          ),
        ],
        [
          8,
          stat({
            title: 'Running since',
            says: 'The start of the daemon, and its version.',
            unit: 'dateTimeFromNow',
            queries: [
              {
                expr: 'opswire_start_timestamp_seconds * 1000 * on (job, instance) group_left (version) opswire_build_info',
                legend: '{{instance}} {{version}}',
              },
            ],
            runbook: 'OpswireRestarting',
          }),
        ],
      ],
    },
  ],
})

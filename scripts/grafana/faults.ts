/** What the fabrics say: faults, health, nodes, and how well they are heard. */
import { bars, dashboard, falling, rising, stat, timeseries } from './panels.ts'

const S = 'source=~"$source"'
const OPEN = `${S},state=~"firing|clearing"`

export const FAULTS = dashboard({
  uid: 'opswire-apic',
  title: 'opswire: APIC faults and health',
  says: 'The faults that stand in the fabrics now, their health and nodes, and the subscriptions that tell of them.',
  sourcesOf: 'opswire_subscriptions',
  lines: [
    {
      height: 5,
      panels: [
        [
          8,
          stat({
            title: 'Open faults',
            says: 'Faults that stand now and are not soaking, by severity. Acknowledged ones count, too. A severity that no fault has is not shown.',
            none: 'none, or not known',
            unit: 'short',
            steps: rising([1, 'orange'], [100, 'red']),
            queries: [{ expr: `sum by (severity) (opswire_faults{${OPEN}})`, legend: '{{severity}}' }],
          }),
        ],
        [
          8,
          stat({
            title: 'Health',
            says: 'The health score of each scope in health_scopes, from 0 to 100. From 90 on it is well.',
            unit: 'none',
            min: 0,
            max: 100,
            steps: falling([50, 'orange'], [75, 'yellow'], [90, 'green']),
            queries: [{ expr: `opswire_health_score{${S}}`, legend: '{{source}} {{scope}}' }],
          }),
        ],
        [
          8,
          stat({
            title: 'Nodes that are not active',
            says: 'Switches in any other state than active. A controller has no such state and is left out.',
            unit: 'short',
            steps: rising([1, 'red']),
            queries: [
              {
                expr: `sum by (source) (opswire_nodes{${S},role!="controller",state!="active"}) or sum by (source) (opswire_nodes{${S},role!="controller"}) * 0`,
                legend: '{{source}}',
              },
            ],
          }),
        ],
      ],
    },
    {
      height: 9,
      panels: [
        [
          12,
          timeseries(
            {
              title: 'Open faults by severity',
              says: 'No line while no fault has that severity, or while it is not known: the session is lost, or the snapshot was not compared yet.',
              unit: 'short',
              min: 0,
              queries: [{ expr: `sum by (severity) (opswire_faults{${OPEN}})`, legend: '{{severity}}' }],
              runbook: 'OpswireFaultStorm',
            },
            true,
          ),
        ],
        [
          12,
          timeseries({
            title: 'Health score',
            says: 'Of each scope in health_scopes.',
            unit: 'none',
            min: 0,
            max: 100,
            steps: falling([75, 'yellow'], [90, 'green']),
            queries: [{ expr: `opswire_health_score{${S}}`, legend: '{{source}} {{scope}}' }],
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
            title: 'Fault events',
            says: 'What happens to faults, each second, by the severity that they have then.',
            unit: 'eps',
            min: 0,
            queries: [
              {
                expr: `sum by (severity) (rate(opswire_events_total{${S},kind="fault"}[$__rate_interval]))`,
                legend: '{{severity}}',
              },
            ],
            runbook: 'OpswireFaultStorm',
          }),
        ],
        [
          8,
          bars({
            title: 'Faults by state',
            says: 'Pending: they soak. Resolved: over, and not yet removed by the fabric.',
            none: 'none, or not known',
            unit: 'short',
            min: 0,
            queries: [{ expr: `sum by (state) (opswire_faults{${S}})`, legend: '{{state}}' }],
          }),
        ],
        [
          8,
          bars({
            title: 'Nodes',
            says: 'By role and state.',
            unit: 'short',
            min: 0,
            queries: [{ expr: `sum by (role, state) (opswire_nodes{${S}})`, legend: '{{role}} {{state}}' }],
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
              title: 'Other events',
              says: 'Event records, audit, sessions, health and other objects, each second.',
              unit: 'eps',
              min: 0,
              queries: [
                {
                  expr: `sum by (kind) (rate(opswire_events_total{${S},kind!~"fault|gap|source|job|return"}[$__rate_interval]))`,
                  legend: '{{kind}}',
                },
              ],
            },
            true,
          ),
        ],
        [
          8,
          timeseries({
            title: 'Subscriptions by state',
            says: 'Live is well. Lost ones are made anew; disabled ones the controller refuses.',
            unit: 'short',
            min: 0,
            queries: [{ expr: `sum by (state) (opswire_subscriptions{${S}})`, legend: '{{state}}' }],
            runbook: 'OpswireSubscriptionsDisabled',
          }),
        ],
        [
          8,
          timeseries({
            title: 'Lateness of what is pushed',
            says: "95 of 100 were seen within this time of happening, by the fabric's own clock.",
            unit: 's',
            min: 0,
            queries: [
              {
                expr: `histogram_quantile(0.95, sum by (le, source) (rate(opswire_late_seconds_bucket{${S}}[$__rate_interval])))`,
                legend: '{{source}}',
              },
            ],
          }),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          12,
          timeseries({
            title: 'Answers of the controllers',
            says: '95 of 100 requests were answered within this time, by what was asked.',
            unit: 's',
            min: 0,
            queries: [
              {
                expr: `histogram_quantile(0.95, sum by (le, operation) (rate(opswire_request_seconds_bucket{${S}}[$__rate_interval])))`,
                legend: '{{operation}}',
              },
            ],
            runbook: 'OpswireLeaseMargin',
          }),
        ],
        [
          12,
          timeseries({
            title: 'Renewals',
            says: 'Of sessions and subscriptions, each second. Refused and failed ones cost a subscription, or the session.',
            unit: 'ops',
            min: 0,
            queries: [
              {
                expr: `sum by (lease, result) (rate(opswire_lease_renewals_total{${S}}[$__rate_interval]))`,
                legend: '{{lease}} {{result}}',
              },
            ],
            runbook: 'OpswireLeaseMargin',
          }),
        ],
      ],
    },
  ],
})

// LimitMetrics: how often a limit was met, in Prometheus's text format.

import Reactor

enum LimitMetrics {
  @Loop static func lines(_ admission: Admission, _ servers: [Server.LimitCounts]) -> [String] {
    let sum = { (count: KeyPath<Server.LimitCounts, UInt64>) in
      servers.reduce(0) { $0 + $1[keyPath: count] }
    }
    let refused = "globus_s3_frontend_connections_refused_total"
    return [
      "# HELP globus_s3_frontend_requests_waited_total Requests over their credential's number.",
      "# TYPE globus_s3_frontend_requests_waited_total counter",
      "globus_s3_frontend_requests_waited_total \(admission.waited)",
      "# HELP globus_s3_frontend_requests_refused_total Requests told to slow down, of these too.",
      "# TYPE globus_s3_frontend_requests_refused_total counter",
      "globus_s3_frontend_requests_refused_total \(admission.refused)",
      "# HELP globus_s3_frontend_connections_evicted_total Idle ones that were closed for others.",
      "# TYPE globus_s3_frontend_connections_evicted_total counter",
      "globus_s3_frontend_connections_evicted_total \(sum(\.evicted))",
      "# HELP \(refused) Connections turned away before a request.",
      "# TYPE \(refused) counter",
      "\(refused){reason=\"address\"} \(sum(\.refusedByAddress))",
      "\(refused){reason=\"descriptors\"} \(sum(\.refusedWithoutDescriptor))",
    ]
  }
}

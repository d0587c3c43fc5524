// Workload: requests as a busy day brings them: 64 people at a time, each reading the objects of a
// folder one after the other; or, the worst for the index of objects, keys at random.

import ArgumentParser
import Audit

struct Workload {
  enum Keys: String, ExpressibleByArgument {
    case walk, random
  }

  private static let readers = 64
  private static let folders = 2_000
  private static let objects = 1_000

  private let keys: Keys
  private var random: UInt64
  private var places: [(folder: Int, object: Int)] = []

  init(keys: Keys, seed: UInt64 = 1) {
    self.keys = keys
    random = seed
    for _ in 0..<Self.readers { places.append((below(Self.folders), below(Self.objects))) }
  }

  /// SplitMix64 (Steele, Lea, Flood 2014).
  private mutating func below(_ end: Int) -> Int {
    random &+= 0x9E37_79B9_7F4A_7C15
    var bits = random
    bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
    return Int((bits ^ bits >> 31) % UInt64(end))
  }

  mutating func next(_ id: RequestID, at time: Int64) -> Intent {
    let reader = below(Self.readers)
    var place = places[reader]
    place.object += 1
    if place.object == Self.objects || keys == .random {
      place = (below(Self.folders), keys == .random ? below(Self.objects) : 0)
    }
    places[reader] = place
    var intent = Intent(
      requestID: id, startMicroseconds: time, method: "GET", operation: "GetObject",
      remoteIP: "192.0.2.\(reader)", peerIP: "192.0.2.\(reader)",
      userAgent: "Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux#6.1 md/arch#x86_64")
    intent.auth = .header
    intent.authResult = .verified
    intent.host = "s3.example.org"
    intent.collectionID = "6c54cade-bde5-45c1-bdea-f4bd71db\(1_000 + place.folder % 20)"
    intent.objectKey =
      "experiment-\(1_000 + place.folder)/detector-2/scan-\(100_000 + place.object).h5"
    intent.identityID = "ae341a98-d274-11e5-b888-dbae3a8b\(1_000 + reader)"
    intent.username = "researcher-\(reader)@example.org"
    intent.credentialFingerprint = "abcdefghijklmnopqrstuvw\(100 + reader)"
    return intent
  }

  static var completion: Completion {
    var completion = Completion(outcome: .ok, status: 200, durationMicroseconds: 12_345)
    completion.bytesOut = 1_048_576
    completion.timeToFirstByteMicroseconds = 9_000
    completion.objectSize = 1_048_576
    completion.upstreamHost = "m-1a2b3c.data.globus.org"
    completion.upstreamStatus = 200
    completion.upstreamCalls = 1
    return completion
  }
}

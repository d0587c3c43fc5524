// Faults: what goes wrong for now, and how often it still does.
//
// `POST /local/faults` on Auth's port replaces all of it, `{}` ends it. It is the stand-in's own, on
// the loopback address like everything here, and wants no token.

import Reactor

/// What is done in place of, or before, what a service would do.
struct FaultOccurrence {
  var delayMilliseconds: UInt64 = 0
  /// Nil: the service answers.
  var reply: Reply?
}

@Loop final class Faults {
  private var settings = FaultSettings()
  /// Which node a connection of a data server got, by the server's collection.
  private var firstConnections: [String: UInt32] = [:]

  var rotatesRefreshTokens: Bool { settings.rotateRefreshTokens == true }

  func set(json: [UInt8]) throws(FaultSettingsError) {
    settings = try FaultSettings(json: json)
    firstConnections = [:]
  }

  /// The answer to a request that sets the faults; nil for any other.
  func control(_ request: Request) -> Reply? {
    guard request.path == "/local/faults" else { return nil }
    guard request.method == "POST" else {
      return Reply(405, text: "POST a JSON document; {} for a stand-in without faults")
    }
    do throws(FaultSettingsError) {
      try set(json: request.body)
      return Reply(200, json: [:])
    } catch {
      return Reply(400, json: ["error": .string(error.message)])
    }
  }

  func collection(_ id: String) -> CollectionFault? {
    settings.collections?.last { $0.id == id }
  }

  func auth(_ request: Request) -> FaultOccurrence? {
    let endpoint = request.path.split(separator: "/").last.map(String.init)
    guard
      let place = settings.auth?.firstIndex(where: {
        $0.trigger.isFor(collection: nil, path: nil)
          && ($0.endpoint == nil || $0.endpoint == endpoint)
      }), let fault = settings.auth?[place], request.path != "/local/faults"
    else { return nil }
    settings.auth?[place].trigger.times? -= 1
    return FaultOccurrence(
      delayMilliseconds: fault.trigger.delayMilliseconds ?? 0, reply: fault.reply)
  }

  /// The fault that is due for an operation of Transfer's; it is used up by that.
  func transfer(operation: String?, collection: String?, path: String?) -> TransferFault? {
    guard
      let place = settings.transfer?.firstIndex(where: {
        $0.trigger.isFor(collection: collection, path: path)
          && ($0.operation == nil || $0.operation == operation)
      })
    else { return nil }
    defer { settings.transfer?[place].trigger.times? -= 1 }
    return settings.transfer?[place]
  }

  /// The same for a request to a collection's HTTPS server. `connection` is that server's count.
  func data(collection: String, path: String, connection: UInt32) -> FaultOccurrence? {
    guard
      let place = settings.data?.firstIndex(where: {
        $0.trigger.isFor(collection: collection, path: path)
      }), let fault = settings.data?[place]
    else { return nil }
    let first = firstConnections[collection] ?? connection
    firstConnections[collection] = first
    settings.data?[place].trigger.times? -= 1
    // A connection of before the settings counts back from the first: also a node of its own.
    let number = Int(Int32(truncatingIfNeeded: connection &- first))
    let count = fault.nodes.count
    return FaultOccurrence(
      delayMilliseconds: fault.trigger.delayMilliseconds ?? 0,
      reply: fault.reply(fault.nodes[(number % count + count) % count]))
  }
}

// Service: what connects the services to the reactor: a request read, an answer written.

import Reactor

extension Exchange {
  /// Answers with what `service` makes of the request and its body, or with a fault that is due.
  func answer(
    _ fault: @Loop (Request) -> FaultOccurrence?, by service: @Loop (Request) -> Reply
  ) async {
    if let malformed = head.malformed {
      return await send(Reply(malformed.status, text: malformed.reason))
    }
    let body: [UInt8]
    do {
      body = try await readBody(limit: Limits.formBytes)
    } catch .tooLarge {
      return await send(Reply(413, text: "The request's body is too large"))
    } catch .malformed {
      return await send(Reply(400, text: "The request's body is malformed"))
    } catch {
      return
    }
    let request = Request(head, body: body)
    let fault = fault(request)
    guard await wait(for: fault) else { return }
    await send(fault?.reply ?? service(request))
  }

  /// Answers with a file or an error of a collection's.
  func answer(by service: DataService) async {
    if let malformed = head.malformed {
      return await send(DataService.text(malformed.status, malformed.reason))
    }
    let request = Request(head, body: [])
    let fault = service.fault(request, connection: connectionNumber)
    guard await wait(for: fault) else { return }
    if let reply = fault?.reply { return await send(reply) }
    switch service.answer(request) {
    case .reply(let reply): await send(reply)
    case .file(let node, let range, let status, let headers):
      await send(node, range, status: status, headers)
    }
  }

  /// False when the client is gone.
  private func wait(for fault: FaultOccurrence?) async -> Bool {
    guard let milliseconds = fault?.delayMilliseconds, milliseconds > 0 else { return true }
    return await Loop.sleep(milliseconds: milliseconds)
  }

  private func send(_ reply: Reply) async {
    guard reply.filler.count == 0 else { return await sendAtLength(reply) }
    _ = await respond(reply.status, reply.headers, body: reply.body, length: reply.length)
  }

  /// A reply that is longer than what should be in memory.
  private func sendAtLength(_ reply: Reply) async {
    let (filler, count) = reply.filler
    let length = reply.body.count + filler.count * Int(count) + reply.end.count
    guard begin(reply.status, reply.headers, length: UInt64(length)) else { return }
    let perWrite = UInt64(max(1, Limits.readBytes / max(filler.count, 1)))
    var isWanted = reply.body.isEmpty ? true : await write(reply.body)
    var left = filler.isEmpty ? 0 : count
    while isWanted, left > 0 {
      let now = min(left, perWrite)
      isWanted = await write(Array(repeatElement(filler, count: Int(now)).joined()))
      left -= now
    }
    if isWanted, !reply.end.isEmpty { _ = await write(reply.end) }
    _ = await finish()
  }

  /// A file that shrinks or can't be read ends the answer short, visibly.
  private func send(
    _ node: FileNode, _ range: Range<UInt64>, status: Int, _ headers: Headers
  ) async {
    let length = UInt64(range.count)
    if head.method == "HEAD" || length == 0 {
      _ = await respond(status, headers, length: length)
      return
    }
    guard begin(status, headers, length: length) else { return }
    var offset = range.lowerBound
    while offset < range.upperBound {
      let count = min(UInt64(Limits.readBytes), range.upperBound - offset)
      guard let bytes = try? node.read(at: offset, count: Int(count)), !bytes.isEmpty else {
        _ = await abort()
        return
      }
      guard await write(bytes) else { return }
      offset += UInt64(bytes.count)
    }
    _ = await finish()
  }
}

extension Request {
  init(_ head: RequestHead, body: [UInt8]) {
    self.init(head.method, head.target, headers: head.headers.fields, body: body)
  }
}

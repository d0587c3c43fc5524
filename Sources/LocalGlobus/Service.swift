// Service: what connects the services to the reactor: a request read, an answer written.

import Reactor

extension Exchange {
  /// Answers with what `service` makes of the request and its form.
  func answer(by service: @Loop (Request) -> Reply) async {
    if let malformed = head.malformed {
      return await send(Reply(malformed.status, text: malformed.reason))
    }
    let form: [UInt8]
    do {
      form = try await readBody(limit: Limits.formBytes)
    } catch .tooLarge {
      return await send(Reply(413, text: "The request's body is too large"))
    } catch .malformed {
      return await send(Reply(400, text: "The request's body is malformed"))
    } catch {
      return
    }
    await send(service(Request(head, form: form)))
  }

  /// Answers with a file or an error of a collection's.
  func answer(by service: DataService) async {
    if let malformed = head.malformed {
      return await send(DataService.text(malformed.status, malformed.reason))
    }
    switch service.answer(Request(head, form: [])) {
    case .reply(let reply): await send(reply)
    case .file(let node, let range, let status, let headers):
      await send(node, range, status: status, headers)
    }
  }

  private func send(_ reply: Reply) async {
    _ = await respond(reply.status, reply.headers, body: reply.body, length: reply.length)
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
  init(_ head: RequestHead, form: [UInt8]) {
    self.init(
      head.method, head.target, headers: head.headers, form: String(decoding: form, as: UTF8.self))
  }
}

// ConfigurationCheck: `serve --check-config`: everything that can be found wrong before serving, a
// line each, without taking anything that a running server holds.
//
// The settings themselves come first, since everything else follows from them: of several that are
// wrong the first is told.

import Audit
import Crypto
import FoundationEssentials
import Frontend
import Glibc
import Reactor

@Loop struct ConfigurationCheck {
  private var errors: [String] = []
  private var warnings: [String] = []

  /// Prints the findings, then `ok` if none is an error; the exit code.
  static func run(_ flags: ServeFlags, environment: [String: String]) -> Int32 {
    let plan: ServicePlan
    do {
      plan = try flags.plan(environment: environment)
    } catch {
      print("error: \(error.message)")
      return error.code
    }
    var check = ConfigurationCheck()
    check.files(of: plan)
    check.addresses(of: plan)
    check.advice(on: plan)
    for error in check.errors { print("error: \(error)") }
    for warning in check.warnings { print("warning: \(warning)") }
    if check.errors.isEmpty { print("ok") }
    return check.errors.isEmpty ? 0 : 78
  }

  private mutating func files(of plan: ServicePlan) {
    if let file = plan.keyFile {
      do {
        _ = try Keyring(file: file)
      } catch {
        errors.append(error.description)
      }
    }
    if let file = plan.frontend.upstreamCA,
      (try? String(contentsOfFile: file, encoding: .utf8))?
        .contains("-----BEGIN CERTIFICATE-----") != true
    {
      errors.append("--upstream-ca names a file without a certificate in PEM: \(file)")
    }
    do {
      try AuditLog.checkPlace(databasePath: plan.auditDatabase)
    } catch {
      errors.append(error.description)
    }
    if let tls = plan.tls { certificate(tls.certificate, key: tls.key) }
  }

  private mutating func certificate(_ certificate: String, key: String) {
    do {
      let identity = try TLSIdentity(certificateFile: certificate, keyFile: key)
      let days = (identity.expiry - Loop.wallClockMicroseconds / 1_000_000) / 86_400
      if days < 0 {
        errors.append("the certificate \(certificate) has ended; renew it")
      } else if days < Limits.certificateDays {
        warnings.append("the certificate \(certificate) ends in \(days) days")
      }
    } catch {
      errors.append(error.message)
    }
  }

  private mutating func addresses(of plan: ServicePlan) {
    for address in plan.listen + (plan.operationsListen.map { [$0] } ?? []) {
      if let reason = address.obstacle { errors.append("can't listen on \(address): \(reason)") }
    }
  }

  /// What a server would start with, and an operator should know.
  private mutating func advice(on plan: ServicePlan) {
    let isOpen = plan.listen.contains { !$0.isLoopback }
    if plan.keyFile == nil {
      warnings.append("no --key-file: credentials end with the process")
    }
    if plan.frontend.signatures == .any, isOpen || plan.frontend.baseURL.isSecure {
      warnings.append("signatures are not verified (--signatures any)")
    }
    if plan.tls == nil, isOpen {
      warnings.append("plain HTTP on an address that others can reach: access key ids can be read")
    }
    if plan.tls == nil, plan.frontend.baseURL.isSecure, plan.frontend.trustedProxies.isEmpty {
      warnings.append(
        "the base URL is https and TLS ends elsewhere, but no --trusted-proxy is named: the audit "
          + "will have the proxy's address for everybody")
    }
  }
}

extension ListenAddress {
  /// Why nobody can listen here, but for somebody who does already; nil: nothing is known.
  var obstacle: String? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE
    var list: UnsafeMutablePointer<addrinfo>?
    let failure = getaddrinfo(host, "\(port)", &hints, &list)
    guard failure == 0, let first = list else { return String(cString: gai_strerror(failure)) }
    defer { freeaddrinfo(list) }
    let descriptor = Glibc.socket(first.pointee.ai_family, first.pointee.ai_socktype, 0)
    guard descriptor >= 0 else { return String(cString: strerror(errno)) }
    defer { Glibc.close(descriptor) }
    guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) != 0,
      errno != EADDRINUSE
    else { return nil }
    return String(cString: strerror(errno))
  }
}

// A small HTTP server on 127.0.0.1 and archives made by hand, for the tests of `data get`.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "data/download.h"
#include "data/sha256.h"
#include "tests/data_fixtures.h"

namespace hv::fixtures {

using namespace hv::data;

using Bytes = std::vector<uint8_t>;

// Serves one body at every path, one connection at a time, and keeps the requests.
class Server {
 public:
  Bytes body;
  int status = 200;
  bool ranges = true;    // answers "Range: bytes=N-" with the rest
  int64_t cut = -1;      // closes the connection after so many bytes of the body
  bool trickle = false;  // ten bytes a second
  std::string last_request;
  std::atomic<int> requests{0};

  Server() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    HV_CHECK(socket_ >= 0 && ::bind(socket_, reinterpret_cast<sockaddr*>(&address), length) == 0 && ::listen(socket_, 8) == 0 &&
                 ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0,
             "test: no server");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() { stop(); }
  void stop() {
    if (socket_ < 0) return;
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
    socket_ = -1;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/archive.tar.gz"; }

 private:
  void serve() {
    for (;;) {
      const int peer = ::accept(socket_, nullptr, nullptr);
      if (peer < 0) return;
      std::string request;
      char buffer[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::recv(peer, buffer, sizeof buffer, 0);
        if (got <= 0) break;
        request.append(buffer, static_cast<size_t>(got));
      }
      last_request = request;
      ++requests;
      size_t from = 0;
      const size_t range = request.find("Range: bytes=");
      if (ranges && range != std::string::npos) from = std::stoul(request.substr(range + 13));
      const std::string part = concat("\r\nContent-Range: bytes ", from, "-", body.size() - 1, "/", body.size());
      const std::string head = concat("HTTP/1.1 ", from > 0 ? 206 : status, " X\r\nContent-Length: ", body.size() - from,
                                      from > 0 ? part : "", "\r\nConnection: close\r\n\r\n");
      ::send(peer, head.data(), head.size(), MSG_NOSIGNAL);
      const size_t end = cut >= 0 ? std::min(body.size(), from + static_cast<size_t>(cut)) : body.size();
      for (size_t at = from; at < end;) {
        const ssize_t put = ::send(peer, body.data() + at, trickle ? 1 : end - at, MSG_NOSIGNAL);
        if (trickle) ::usleep(100000);
        if (put <= 0) break;
        at += static_cast<size_t>(put);
      }
      ::close(peer);
    }
  }
  int socket_;
  int port_ = 0;
  std::thread thread_;
};

struct Entry {
  std::string path;
  Bytes content = {};
  unsigned type = AE_IFREG;
  std::string link = {};  // symbolic
  std::string hard_link = {};
};

inline Bytes make_archive(const TempDir& dir, const std::vector<Entry>& entries) {
  const std::string path = dir / "made.tar.gz";
  struct archive* out = archive_write_new();
  archive_write_add_filter_gzip(out);
  archive_write_set_format_ustar(out);
  REQUIRE(archive_write_open_filename(out, path.c_str()) == ARCHIVE_OK);
  for (const Entry& e : entries) {
    struct archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, e.path.c_str());
    archive_entry_set_filetype(entry, e.type);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<int64_t>(e.content.size()));
    if (!e.link.empty()) archive_entry_set_symlink(entry, e.link.c_str());
    if (!e.hard_link.empty()) archive_entry_set_hardlink(entry, e.hard_link.c_str());
    REQUIRE(archive_write_header(out, entry) == ARCHIVE_OK);
    archive_write_data(out, e.content.data(), e.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
  return read_bytes(path);
}

const Bytes kRecords = make_records(20, 1, 10), kNames = {'a', '\n'};
const std::vector<Entry> kGood = {{"toy/", {}, AE_IFDIR}, {"toy/data_batch_1.bin", kRecords}, {"toy/names.txt", kNames}};

inline Package package_for(const TempDir& dir, const Bytes& archive) {
  write_bytes(dir / "hashed", archive);
  return {"toy",
          "http://127.0.0.1:9/unused",
          "toy.tar.gz",
          static_cast<int64_t>(archive.size()),
          sha256_file(dir / "hashed"),
          "toy",
          {{"toy/data_batch_1.bin", static_cast<int64_t>(kRecords.size())}, {"toy/names.txt"}}};
}

// Everything below a directory, sorted: to see that nothing was left.
inline std::vector<std::string> listing(const std::string& root) {
  std::vector<std::string> names;
  if (std::filesystem::exists(root))
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
      names.push_back(std::filesystem::relative(entry.path(), root).string());
  std::sort(names.begin(), names.end());
  return names;
}
const std::vector<std::string> kInstalled = {"toy", "toy/data_batch_1.bin", "toy/names.txt"};

inline GetOptions from(const Server& server) {
  GetOptions options;
  options.url = server.url();
  options.connect_seconds = options.stall_seconds = 3;
  return options;
}

}  // namespace hv::fixtures

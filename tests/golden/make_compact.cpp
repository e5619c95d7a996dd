// Copies the golden numbers into this folder in fewer bytes (compact.h says how): make golden-copies, from the top of the
// repository. FROM=folder is the one with all numbers, else ../shared/golden.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/check.h"
#include "tests/golden/compact.h"
#include "train/exchange/safetensors.h"
#include "train/files/file.h"

using namespace hv;
using namespace hv::test;
using namespace hv::train;

namespace {

struct Held {
  std::string dtype;
  Shape shape;
  std::string bytes;
  bool operator==(const Held&) const = default;
};
struct File {
  Metadata metadata;
  std::map<std::string, Held> tensors;
};
using System = std::map<std::string, File>;  // by name, without the folder

File read(const std::string& path) {
  const SafetensorsHeader header = read_safetensors_header(path);
  const std::string all = read_file(path, int64_t{1} << 26);
  uint64_t length;
  std::memcpy(&length, all.data(), sizeof length);
  File file{header.metadata, {}};
  for (const StoredTensor& t : header.tensors) {
    file.tensors[t.name] = {t.dtype, t.shape,
                            all.substr(8 + length + static_cast<size_t>(t.begin), static_cast<size_t>(t.end - t.begin))};
  }
  return file;
}

// The float32 numbers of `t` for which `keep` names the places, in order.
template <class Place>
Held picked(const Held& t, const Shape& shape, const Place& place) {
  HV_CHECK(t.dtype == "F32", "golden: only float32 can be cut, found ", t.dtype);
  Held out{t.dtype, shape, {}};
  for (int64_t i = 0; i < numel(shape); ++i) out.bytes += t.bytes.substr(4 * static_cast<size_t>(place(i)), 4);
  return out;
}

Held every(const Held& t) {
  return picked(t, {(numel(t.shape) + kEvery - 1) / kEvery}, [](int64_t i) { return i * kEvery; });
}

// The leading part of `t`, seen as a tensor of shape `from`.
Held leading(const Held& t, const Shape& from, const Shape& to) {
  return picked(t, to, [&](int64_t i) {
    int64_t at = 0, stride = 1;
    for (int d = static_cast<int>(from.size()); d-- > 0; i /= to[d], stride *= from[d]) at += i % to[d] * stride;
    return at;
  });
}

// The model of three heads of 64 is larger than all other numbers together. Its first head is a model by itself, and has what
// no other file has: heads of 64, four hidden units per channel.
void keep_first_head(System& files) {
  File& weights = files.at("unchanged_weights");
  const int64_t heads = std::stoll(weights.metadata.at("heads")), width = weights.tensors.at("cls_token").shape[2];
  for (auto& [name, t] : weights.tensors) {
    Shape from = t.shape, to;
    const bool qkv = name.find(".qkv.") != std::string::npos;  // [q; k; v]: a part of each
    if (qkv) from.insert(0, 3), from[1] /= 3;
    for (const int64_t d : from) to.push_back(d % width == 0 ? d / heads : d);
    t = leading(t, from, to);
    if (qkv) to[1] *= 3, to.erase(0);
    t.shape = to;
  }
  weights.metadata["heads"] = "1";
  for (int64_t h = 2; h <= heads; ++h) files.at("forward").tensors.erase(concat("unchanged.logits.heads", h));
}

void make_smaller(System& files) {
  for (auto& [file, content] : files) {
    for (auto& [name, t] : content.tensors) {
      bool some = false;
      for (const char* part : {"grad.", "after.", "hidden."}) some = some || name.find(part) != std::string::npos;
      if (some && numel(t.shape) > kWhole) t = every(t);
    }
  }
  for (auto& [file, content] : files) {
    for (auto& [before, other] : files) {
      if (before == file) break;
      std::string& same = content.metadata[kSameIn + before];
      for (const auto& [name, t] : other.tensors) {
        const auto found = content.tensors.find(name);
        if (found == content.tensors.end() || !(found->second == t)) continue;
        same += (same.empty() ? "" : " ") + name;
        content.tensors.erase(found);
      }
      if (same.empty()) content.metadata.erase(kSameIn + before);
    }
  }
}

void write(const std::string& path, const File& file) {
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, t] : file.tensors) {
    tensors.push_back({name, t.dtype, t.shape, [&bytes = t.bytes](const Put& put) { put(bytes.data(), bytes.size()); }});
  }
  write_safetensors(path, file.metadata, std::move(tensors));
}

}  // namespace

int main() {
  namespace fs = std::filesystem;
  const char* set = std::getenv("FROM");
  const std::string from = set && *set ? set : "../shared/golden";
  for (const std::string system : {"hydravit", "scala", "supervit", "thinkingvit", "vitslim"}) {
    System files;
    for (const auto& entry : fs::directory_iterator(from + "/" + system)) {
      if (entry.path().extension() == ".safetensors") files[entry.path().stem().string()] = read(entry.path().string());
    }
    if (system == "hydravit") keep_first_head(files);
    make_smaller(files);
    const std::string to = "tests/golden/" + system;
    fs::create_directories(to);
    uintmax_t bytes = 0;
    for (const auto& [name, file] : files) {
      write(to + "/" + name + ".safetensors", file);
      bytes += fs::file_size(to + "/" + name + ".safetensors");
    }
    std::printf("%s: %zu files, %ju bytes\n", to.c_str(), files.size(), bytes);
  }
  return 0;
}

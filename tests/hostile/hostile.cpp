// Altered checkpoints, safetensors and pictures, and allocations that fail. Each case must end with a message or with a load,
// in less than a second and with at most 2 x file + 64 MB of memory (pictures: within their budget); a crash ends the program.
//   check-hostile full    every length, every bit of the header, 20,000 flipped bits, 1,000 splices, 700 headers made by hand,
//                         each n up to 3,000 for allocations
//   check-hostile short   a share of these cases
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <sstream>

#include "core/parallel.h"
#include "core/random.h"
#include "models/hydravit.h"
#include "tests/hostile/budgets.h"
#include "tests/hostile/pictures.h"
#include "tests/hostile/run_folder.h"
#include "tests/predict_fixtures.h"
#include "train/exchange/timm_safetensors.h"
#include "train/predict/predict.h"
#include "train/start/setup.h"
#include "train/state/load.h"

// --- every allocation of C++, counted; the n-th fails -----------------------------------------------------------------------

namespace {
std::atomic<long> until_failure{-1};  // calls until one fails; negative: none does
std::atomic<long> alive{0};           // blocks that are not freed
bool refuse() { return until_failure.load() >= 0 && until_failure.fetch_sub(1) == 0; }
void* try_take(size_t bytes, size_t alignment) {
  void* block =
      refuse() ? nullptr : std::aligned_alloc(alignment, (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment);
  if (block) ++alive;
  return block;
}
void* take(size_t bytes, size_t alignment) {
  if (void* block = try_take(bytes, alignment)) return block;
  throw std::bad_alloc();
}
void give(void* block) {
  if (block) --alive;
  std::free(block);
}
}  // namespace
void* operator new(size_t n) { return take(n, 16); }
void* operator new[](size_t n) { return take(n, 16); }
void* operator new(size_t n, std::align_val_t a) { return take(n, static_cast<size_t>(a)); }
void* operator new[](size_t n, std::align_val_t a) { return take(n, static_cast<size_t>(a)); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return try_take(n, 16); }
void* operator new[](size_t n, const std::nothrow_t&) noexcept { return try_take(n, 16); }
void operator delete(void* p) noexcept { give(p); }
void operator delete[](void* p) noexcept { give(p); }
void operator delete(void* p, size_t) noexcept { give(p); }
void operator delete[](void* p, size_t) noexcept { give(p); }
void operator delete(void* p, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { give(p); }

namespace {

using namespace hv;
using namespace hv::train;
namespace fs = std::filesystem;

bool failed = false;
double slowest = 0;

double cpu_seconds() {  // processor time, so that a busy machine does not matter
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Returns whether it loads. A message is an Error of exit code 3; anything else is a failure.
template <class Load>
bool refused(const std::string& what, const std::string& path, const std::string& bytes, const Load& load) {
  std::ofstream(path, std::ios::binary) << bytes;
  const double start = cpu_seconds();
  bool message = false;
  try {
    load(path);
  } catch (const Error& error) {
    message = true;
    if (error.fault() != Fault::input || !*error.what())
      failed = true, std::printf("FAILED %s: %s\n", what.c_str(), error.what());
  } catch (const std::exception& error) {
    failed = true, std::printf("FAILED %s: %s\n", what.c_str(), error.what());
  }
  slowest = std::max(slowest, cpu_seconds() - start);
  return message;
}

struct Kind {
  const char* name;
  std::string path;
  size_t header;  // bytes up to the first tensor's
  std::function<void(const std::string&)> load;
  std::function<bool(const std::string&)> same;  // if it loads: is it what the good file holds?
};

void alter(const Kind& kind, const std::string& folder, long share) {
  const std::string good = bytes_of(kind.path), bad = folder + "/bad";
  Stream stream(1, Purpose::test);
  const auto below = [&](size_t n) { return static_cast<size_t>(stream.below(static_cast<uint32_t>(n))); };
  const auto run = [&](const char* what, long count, const std::function<std::string(long)>& make) {
    long harmless = 0;
    for (long i = 0; i < count; ++i) {
      const std::string bytes = make(i);
      if (bytes == good || refused(concat(kind.name, " ", what, " ", i), bad, bytes, kind.load)) continue;
      const bool same = kind.same(bad);
      harmless += same;
      if (!same) failed = true, std::printf("FAILED %s: %s %ld was loaded\n", kind.name, what, i);
    }
    std::printf("%-12s %-28s %6ld cases, %ld of them change nothing\n", kind.name, what, count, harmless);
  };
  run("cut", static_cast<long>(good.size()) / share, [&](long n) { return good.substr(0, static_cast<size_t>(n * share)); });
  run("bits of the header", static_cast<long>(8 * kind.header) / share, [&](long n) {
    std::string bytes = good;
    const long bit = n * share;
    bytes[static_cast<size_t>(bit / 8)] ^= static_cast<char>(1 << bit % 8);
    return bytes;
  });
  run("random flips of the body", 20'000 / share, [&](long) {
    std::string bytes = good;
    for (size_t n = 1 + below(3); n > 0; --n)
      bytes[kind.header + below(good.size() - kind.header)] ^= static_cast<char>(1 << below(8));
    return bytes;
  });
  run("splices", 1'000 / share, [&](long) {  // a piece of the file over, or between, other bytes of it
    std::string bytes = good;
    const size_t from = below(good.size()), length = 1 + below(good.size() - from), to = below(good.size());
    below(2) == 0 ? bytes.insert(to, good, from, length) : bytes.replace(to, length, good, from, length);
    return bytes;
  });
}

// Headers that are well formed but wrong: each must be refused.
void made_up(const std::string& checkpoint, const std::string& folder, const std::vector<NamedTensor>& tensors,
             const std::function<void(const std::string&)>& load, const std::function<void(const std::string&)>& import) {
  const std::string bad = folder + "/bad";
  long cases = 0;
  const auto expect = [&](const std::string& what, const std::string& bytes,
                          const std::function<void(const std::string&)>& reader) {
    ++cases;
    if (!refused(what, bad, bytes, reader)) failed = true, std::printf("FAILED: %s was loaded\n", what.c_str());
  };
  const std::string names[] = {"cls_token", "../../x", "/etc/passwd", "", "a\\u0000b"};
  const std::string types[] = {"\"F32\"", "\"F33\"", "7", "null"};
  const std::string shapes[] = {"[2]", "[-2]", "[4611686018427387904,4]", "[1.5]", "\"2\"", "[[2]]"};
  const std::string offsets[] = {"[0,8]", "[8,0]", "[0,18446744073709551615]", "[-8,0]", "[0]"};
  for (const std::string& name : names) {
    for (const std::string& type : types) {
      for (const std::string& shape : shapes) {
        for (const std::string& offset : offsets) {
          const std::string json =
              concat("{\"", name, "\":{\"dtype\":", type, ",\"shape\":", shape, ",\"data_offsets\":", offset, "}}");
          std::string bytes(8, '\0');
          const uint64_t length = json.size();
          std::memcpy(bytes.data(), &length, 8);
          expect("safetensors " + json, bytes + json + std::string(8, '\0'), import);
        }
      }
    }
  }
  const Header good = read_header(checkpoint);
  const auto try_header = [&](const std::string& what, const Header& header, const std::vector<NamedTensor>& with) {
    const std::string path = folder + "/made.ckpt";
    save_checkpoint(path, header, with);
    expect("checkpoint " + what, bytes_of(path), load);
  };
  for (const auto& [key, value] : good.model) {
    for (const char* wrong : {"-1", "0", "99999999999999999999", "1073741824", "nan", "", "1e300", "x"}) {
      if (value == wrong || (std::string(wrong) == "0" && (key == "dropout" || key == "drop_path"))) continue;
      Header header = good;
      header.model[key] = wrong;
      try_header(concat(key, " = '", wrong, "'"), header, tensors);
    }
    Header header = good;
    header.model.erase(key);
    if (key == "kind" || key == "model") try_header("without " + key, header, tensors);
  }
  Header more = good;
  more.model["surprise"] = "1";
  try_header("with an unknown entry", more, tensors);
  try_header("without tensors", good, {});
  std::vector<NamedTensor> other = tensors;
  other.back().name = "../../" + other.back().name;
  try_header("with a path for a name", good, other);
  other = tensors;
  other.push_back(tensors.front());
  try_header("with a tensor twice", good, other);
  std::printf("%-12s %-28s %6ld cases\n", "both", "made-up headers", cases);
}

// Fails the n-th allocation of an action, for every n until none fails; all its memory must be freed again.
void starve(const char* name, long most, const std::function<void()>& action) {
  action();  // memory that is kept on purpose (pools, tables) is allocated here
  long n = 0, messages = 0;
  for (; n < most; ++n) {
    const long before = alive.load();
    bool through = false;
    until_failure = n;
    try {
      action();
      through = until_failure.load() >= 0;
    } catch (const std::bad_alloc&) {
      ++messages;  // the program's message: train/io/cli.cpp
    } catch (const Error& error) {
      messages += *error.what() != 0;
    }
    until_failure = -1;
    if (alive.load() > before) {
      action();  // a pool may have grown; it does not grow a second time
      const long again = alive.load();
      action();
      if (alive.load() > again)
        failed = true, std::printf("FAILED %s: allocation %ld: leak of %ld blocks\n", name, n, alive - again);
    }
    if (through) break;
  }
  std::printf("%-12s allocations failing: %ld tried, %ld ended with a message\n", name, n, messages);
}

}  // namespace

int main(int argc, char** argv) {
  const long share = argc > 1 && std::string(argv[1]) == "full" ? 1 : 100;
  set_num_threads(1);
  const fixtures::TempDir folder;
  models::HydraViTConfig c;
  c.image = c.patch = 2;
  c.depth = c.head_dim = c.heads_min = c.mlp_ratio = 1;
  c.heads = c.classes = 2;
  const models::HydraViT model(c, 1);
  Header header;
  header.model = model.config();
  header.class_names = {"a", "b"};
  header.mean = header.std = {0.5, 0.5, 0.5};
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : model.parameters()) tensors.push_back({"model." + p.name, p.value.detach()});
  const std::string checkpoint = folder / "a.ckpt", safetensors = folder / "a.safetensors", picture = folder / "a.png";
  save_checkpoint(checkpoint, header, tensors);
  write_timm_safetensors(safetensors, load_timm(checkpoint, 0, false));
  fixtures::write_shape(picture, 0);

  const auto length_at = [](const std::string& bytes, size_t at) {
    uint32_t length = 0;
    std::memcpy(&length, bytes.data() + at, 4);
    return size_t{length};
  };
  const auto load = [](const std::string& path) { load_model(path, false); };
  const auto import = [](const std::string& path) { read_timm_safetensors(path); };
  load(checkpoint), import(safetensors);
  [[maybe_unused]] const long before = peak_kib();
  alter(
      {"checkpoint", checkpoint, 16 + length_at(bytes_of(checkpoint), 12) + 4, load, [](const std::string&) { return false; }},
      folder.path(), share);
  alter({"safetensors", safetensors, 8 + length_at(bytes_of(safetensors), 0), import,
         [&](const std::string& path) {
           const std::string again = folder / "again.safetensors";
           write_timm_safetensors(again, read_timm_safetensors(path));  // an export is a function of the model
           return bytes_of(again) == bytes_of(safetensors);
         }},
        folder.path(), share);
  made_up(checkpoint, folder.path(), tensors, load, import);
  const long grown = peak_kib() - before;
  std::printf("peak memory above the start: %ld KiB; slowest case: %.3f s of processor time\n", grown, slowest);
#ifndef HV_ASAN  // AddressSanitizer keeps what was freed
  if (grown > 64 * 1024) failed = true, std::printf("FAILED: more than 2 x file + 64 MB\n");
#endif
  if (slowest > 1) failed = true, std::printf("FAILED: more than a second\n");

  if (!budgets_hold(folder.path())) failed = true;
  failed |= !hostile::alter_pictures(share);

  const long most = share == 1 ? 3000 : 60;
  starve("load", most, [&] { load(checkpoint); });
  starve("import", most, [&] { import(safetensors); });
  starve("predict", most, [&] {
    const Loaded loaded = load_model(checkpoint, false);
    Predictor predictor(*loaded.model, loaded.header, loaded.model->subnets(), 1, false);
    const std::vector<ImagePath> images{{picture, ""}};
    predictor.look(images);
  });
  failed = !hostile::run_folders(share) || failed;
  std::printf(failed ? "hostile: FAILED\n" : "hostile: all refused, but for what changes nothing\n");
  return failed;
}

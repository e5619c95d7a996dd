// findings8: drawn pictures that look a little like chest X-rays, 64 x 64 and grey, with eight findings. For use without a
// download. Nothing medical can be learnt from them.
//
// Invariants
//   1. Findings differ in size, place, strength and frequency (3 % to 40 %). Some go together, because each patient has three
//      hidden traits: a weak heart (cardiomegaly, both effusions), tumours (mass, nodule), injuries (fracture, pneumothorax).
//   2. A patient has 1, 2, 3 or 6 pictures, of one anatomy, and lies in one split: 8,004 pictures for training, 1,008 for
//      validation, 2,004 for testing.
//   3. The heart is on the right of the picture, the patient's left: effusion_left is there, effusion_right on the other side.
// Thread rule: any thread; uses all cores.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace hv::data {

inline constexpr int64_t kChestSide = 64, kChestLabels = 8;
inline constexpr uint64_t kChestSeed = 8;  // part of the set's definition: another seed is another data set

const std::vector<std::string>& findings8_labels();
struct Chest {
  int64_t patient = 0;                      // among those of its split
  std::array<uint8_t, kChestLabels> has{};  // 0 or 1
};
// Draws the plane of picture `index`, kChestSide rows of as many bytes, a function of the arguments alone.
Chest draw_chest(uint64_t seed, Split split, int64_t index, uint8_t* plane);
DatasetPtr make_findings8(Split split, int64_t count = 0, uint64_t seed = kChestSeed);  // count 0: the usual number

}  // namespace hv::data

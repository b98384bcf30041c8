// How often each instruction ran: what Renode compiles and loads for `counts` (renode_watch.py).
// Its translator tells of each block's end where the block began and how many instructions of it ran.

using System.Collections.Generic;
using System.Text;

using Antmicro.Renode.Peripherals.CPU;

namespace MesosMicroAgent
{
    public static class InstructionCounts
    {
        public static void CountInstructions(this TranslationCPU cpu)
        {
            var blocks = Blocks[cpu] = new Dictionary<ulong, Block>();
            cpu.SetHookAtBlockEnd((pc, size) =>
            {
                Block block;
                lock(blocks)
                {
                    if(!blocks.TryGetValue(pc << 16 | size, out block))
                    {
                        block = blocks[pc << 16 | size] = new Block { Addresses = AddressesOf(cpu, pc, size) };
                    }
                    block.Count++;
                }
            });
        }

        // ADDRESS:COUNT of each, in hexadecimal.
        public static string CountedInstructions(this TranslationCPU cpu)
        {
            var blocks = Blocks[cpu];
            var text = new StringBuilder();
            lock(blocks)
            {
                foreach(var block in blocks.Values)
                {
                    foreach(var address in block.Addresses)
                    {
                        text.AppendFormat("{0:x}:{1:x} ", address, block.Count);
                    }
                }
            }
            return text.ToString();
        }

        // Where a block's instructions begin: now, for a loader may put other code there later.
        private static ulong[] AddressesOf(TranslationCPU cpu, ulong pc, uint size)
        {
            var riscv = cpu.Architecture.StartsWith("riscv");
            var addresses = new ulong[size];
            for(var number = 0; number < size; number++)
            {
                addresses[number] = pc;
                var half = cpu.Bus.ReadWord(pc);
                // RISC-V Unprivileged ISA, 1.5; ARMv7-M Architecture Reference Manual, A5.1.
                pc += (riscv ? (half & 3) == 3 : half >> 11 >= 0x1D) ? 4ul : 2ul;
            }
            return addresses;
        }

        private static readonly Dictionary<TranslationCPU, Dictionary<ulong, Block>> Blocks = new Dictionary<TranslationCPU, Dictionary<ulong, Block>>();

        private class Block
        {
            public ulong[] Addresses;
            public ulong Count;
        }
    }
}

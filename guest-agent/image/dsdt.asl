/*
 * The only AML that the guest's kernel runs. It is compiled into the kernel and takes the place of the host's DSDT; the
 * measured command line keeps the host's SSDTs out. It says what a guest of ours needs: how to power off, and that there
 * is one PCI bus whose configuration is reached through ports. Interrupts need no table: virtio uses MSI-X.
 */
DefinitionBlock ("", "DSDT", 2, "2CVM", "GUEST", 1)
{
    Name (\_S5, Package () { 0, 0, 0, 0 })

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_BBN, 0)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0xFF, 0, 0x100)
                IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
            })
        }
    }
}
